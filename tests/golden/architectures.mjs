// Networks of the architectures that people bring along, node for node as their exporters write them, with few channels
// and random weights: every output against ONNX Runtime, and the faces that `ken identify` finds with the detectors
// against a decoder of this file's own.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { floats, integers, network, node, real } from "../../tools/onnx.mjs";
import * as golden from "./oracle.mjs";

const ort = golden.loadOracle();
const random = golden.randomSource(5);
const product = (dims) => dims.reduce((a, b) => a * b, 1);
const normal = () => (random() + random() + random() + random() - 2) * 1.7;

// A graph under construction: each method adds nodes and returns the name of what they make.
class Graph {
  nodes = [];
  constants = [];
  outputs = {};
  count = 0;
  name() {
    return `v${this.count++}`;
  }
  add(op, inputs, attributes = {}, out = this.name()) {
    this.nodes.push(node(op, inputs, Array.isArray(out) ? out : [out], attributes));
    return out;
  }
  floats(dims, value) {
    const name = this.name();
    this.constants.push(floats(name, dims, Array.from({ length: product(dims) }, value)));
    return name;
  }
  integers(data, dims) {
    const name = this.name();
    this.constants.push(integers(name, data, dims));
    return name;
  }
  weights(dims, gain = 1) {
    const scale = gain / Math.sqrt(product(dims.slice(1)));
    return this.floats(dims, () => normal() * scale);
  }
  conv(x, [from, to], { k = 3, stride = 1, group = 1, pad = k >> 1, bias = true, gain = 1.4 } = {}) {
    const inputs = [x, this.weights([to, from / group, k, k], gain)];
    if (bias) inputs.push(this.floats([to], () => normal() * 0.1));
    return this.add("Conv", inputs, { kernel_shape: [k, k], strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1], group });
  }
  batch(x, channels) {
    const numbers = [() => 0.7 + random(), () => normal() * 0.1, () => normal() * 0.1, () => 0.5 + random()].map((f) => this.floats([channels], f));
    return this.add("BatchNormalization", [x, ...numbers], { epsilon: real(1e-5), momentum: real(0.9) });
  }
  prelu(x, channels) {
    return this.add("PRelu", [x, this.floats([channels, 1, 1], () => random() * 0.5)]);
  }
  relu(x) {
    return this.add("Relu", [x]);
  }
  output(x, name) {
    this.add("Identity", [x], {}, name);
    this.outputs[name] = null;
  }
  bytes(inputs, opset) {
    return network({ nodes: this.nodes, constants: this.constants, inputs, outputs: this.outputs, opset });
  }
}

const HEAD = 0.1; // of the heads' weights: boxes of a few cells, scores that differ

// ---- SCRFD ----

function scrfdBlock(g, x, [from, to], stride) {
  const y = g.conv(g.relu(g.conv(x, [from, to], { stride })), [to, to]);
  let side = x;
  if (stride > 1) side = g.add("AveragePool", [x], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1, count_include_pad: 0 });
  if (from !== to) side = g.conv(side, [from, to], { k: 1 });
  return g.relu(g.add("Add", [y, side]));
}

// Group normalisation as PyTorch exports it.
function groupNorm(g, x, channels, groups) {
  const rows = g.add("Reshape", [x, g.integers([0, groups, -1])]);
  const one = g.floats([groups], () => 1), nil = g.floats([groups], () => 0);
  const back = g.add("Reshape", [g.add("InstanceNormalization", [rows, one, nil], { epsilon: real(1e-5) }), g.add("Shape", [x])]);
  return g.add("Add", [g.add("Mul", [back, g.floats([channels, 1, 1], () => 0.7 + random())]), g.floats([channels, 1, 1], () => normal() * 0.1)]);
}

function scrfdHead(g, x, channels, { stride, points, norm, batched }) {
  let y = g.conv(x, [channels, channels], { group: channels });
  y = g.relu(norm ? groupNorm(g, g.conv(y, [channels, channels], { k: 1, bias: false }), channels, 4) : g.conv(y, [channels, channels], { k: 1 }));
  const rows = (v, columns) => batched
    ? g.add("Reshape", [g.add("Transpose", [v], { perm: [0, 2, 3, 1] }), g.integers([1, -1, columns])])
    : g.add("Reshape", [g.add("Transpose", [v], { perm: [2, 3, 0, 1] }), g.integers([-1, columns])]);
  g.parts[0].push([`score_${stride}`, g.add("Sigmoid", [rows(g.conv(y, [channels, 2], { gain: HEAD }), 1)])]);
  const box = g.add("Mul", [g.conv(y, [channels, 8], { gain: HEAD }), g.floats([], () => 1.1)]);
  const outward = g.add("Add", [box, g.floats([1, 8, 1, 1], () => 1.6)]);
  g.parts[1].push([`bbox_${stride}`, rows(outward, 4)]);
  if (points) g.parts[2].push([`kps_${stride}`, rows(g.conv(y, [channels, 20], { gain: HEAD }), 10)]);
}

// Upsampled to the size of `like`, found at run time as exporters do.
function resizeLike(g, x, like) {
  const zero = g.integers([0]), two = g.integers([2]), four = g.integers([4]);
  const size = g.add("Slice", [g.add("Shape", [like]), two, four, zero]);
  const front = g.add("Slice", [g.add("Shape", [x]), zero, two, zero]);
  const whole = g.add("Concat", [front, g.add("Cast", [size], { to: 7 })], { axis: 0 });
  return g.add("Resize", [x, g.floats([0]), g.floats([0]), whole], { coordinate_transformation_mode: "asymmetric", cubic_coeff_a: real(-0.75), mode: "nearest", nearest_mode: "floor" });
}

function scrfd(options) {
  const g = new Graph(), c = 8;
  g.parts = [[], [], []];
  let x = g.relu(g.conv("input.1", [3, c], { stride: 2 }));
  x = g.relu(g.conv(x, [c, c]));
  x = g.add("MaxPool", [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 0 });
  const stages = [];
  for (const [from, to, stride] of [[c, c, 1], [c, 12, 2], [12, 16, 2], [16, 20, 2]]) stages.push((x = scrfdBlock(g, scrfdBlock(g, x, [from, to], stride), [to, to], 1)));
  let [a, b, d] = [[12, stages[1]], [16, stages[2]], [20, stages[3]]].map(([n, s]) => g.conv(s, [n, c], { k: 1 }));
  b = g.add("Add", [b, resizeLike(g, d, b)]);
  a = g.add("Add", [a, resizeLike(g, b, a)]);
  [a, b, d] = [a, b, d].map((v) => g.conv(v, [c, c]));
  b = g.conv(g.add("Add", [b, g.conv(a, [c, c], { stride: 2 })]), [c, c]);
  d = g.conv(g.add("Add", [d, g.conv(b, [c, c], { stride: 2 })]), [c, c]);
  [a, b, d].forEach((v, i) => scrfdHead(g, v, c, { stride: 8 << i, ...options }));
  for (const [name, v] of g.parts.flat()) g.output(v, name);
  return g.bytes({ "input.1": options.batched ? [1, 3, 160, 160] : [1, 3, "height", "width"] }, 11);
}

// ---- YuNet ----

function yunetUnit(g, x, [from, to], { relu = true, gain = 1.4 } = {}) {
  const y = g.conv(g.conv(x, [from, to], { k: 1, gain }), [to, to], { group: to });
  return relu ? g.relu(y) : y;
}

function yunet() {
  const g = new Graph(), c = 8;
  let x = g.relu(g.conv("input", [3, c], { stride: 2, gain: 0.02 }));
  x = yunetUnit(g, x, [c, c]);
  const pool = (v) => g.add("MaxPool", [v], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 0 });
  x = yunetUnit(g, yunetUnit(g, pool(x), [c, c]), [c, c]);
  const levels = [];
  for (let i = 0; i < 3; i++) levels.push((x = yunetUnit(g, yunetUnit(g, pool(x), [c, c]), [c, c])));
  for (let i = 2; i >= 0; i--) {
    levels[i] = yunetUnit(g, levels[i], [c, c]);
    if (i) levels[i - 1] = g.add("Add", [levels[i - 1], g.add("Resize", [levels[i], g.floats([0]), g.floats([4], (_, k) => (k < 2 ? 1 : 2))],
      { coordinate_transformation_mode: "asymmetric", mode: "nearest", nearest_mode: "floor" })]);
  }
  const parts = { cls: 1, obj: 1, bbox: 4, kps: 10 };
  for (const [name, columns] of Object.entries(parts))
    levels.forEach((v, i) => {
      let y = g.add("Transpose", [yunetUnit(g, v, [c, columns], { relu: false, gain: HEAD * 2 })], { perm: [0, 2, 3, 1] });
      y = g.add("Reshape", [y, g.integers([1, -1, columns])]);
      if (columns === 1) y = g.add("Sigmoid", [y]);
      g.output(y, `${name}_${8 << i}`);
    });
  return g.bytes({ input: [1, 3, 160, 160] }, 11);
}

// ---- Embedders ----

function iresnetBlock(g, x, [from, to], stride) {
  let y = g.conv(g.batch(x, from), [from, to]);
  y = g.conv(g.prelu(y, to), [to, to], { stride });
  const side = stride > 1 || from !== to ? g.conv(x, [from, to], { k: 1, stride }) : x;
  return g.add("Add", [y, side]);
}

function arcface() {
  const g = new Graph();
  let x = g.prelu(g.conv("input.1", [3, 8]), 8);
  for (const [from, to] of [[8, 8], [8, 12], [12, 16], [16, 20]]) x = iresnetBlock(g, iresnetBlock(g, x, [from, to], 2), [to, to], 1);
  const flat = g.add("Flatten", [g.batch(x, 20)], { axis: 1 });
  const y = g.add("Gemm", [flat, g.weights([512, 980]), g.floats([512], normal)], { alpha: real(1), beta: real(1), transB: 1 });
  g.output(g.batch(y, 512), "683");
  return g.bytes({ "input.1": ["None", 3, 112, 112] }, 11);
}

function mobileBlock(g, x, [from, to], stride, unit) {
  const y = unit(g, unit(g, x, [from, 2 * from], { k: 1 }), [2 * from, 2 * from], { stride, group: 2 * from });
  const z = g.conv(y, [2 * from, to], { k: 1 });
  return stride === 1 && from === to ? g.add("Add", [x, z]) : z;
}

function mobilefacenet() {
  const g = new Graph();
  const unit = (h, x, [from, to], options) => h.prelu(h.batch(h.conv(x, [from, to], { ...options, bias: false }), to), to);
  let x = unit(g, "input.1", [3, 8], { stride: 2 });
  x = unit(g, x, [8, 8], { group: 8 });
  for (const [from, to, stride] of [[8, 8, 2], [8, 8, 1], [8, 16, 2], [16, 16, 1], [16, 16, 2]]) x = mobileBlock(g, x, [from, to], stride, unit);
  x = g.batch(g.conv(unit(g, x, [16, 24], { k: 1 }), [24, 24], { k: 7, pad: 0, group: 24, bias: false }), 24);
  const y = g.add("Gemm", [g.add("Reshape", [x, g.integers([0, -1])]), g.weights([256, 24]), g.floats([256], normal)], { transB: 1 });
  g.output(g.batch(y, 256), "516");
  return g.bytes({ "input.1": [1, 3, 112, 112] }, 12);
}

// Mean and scale inside, Dropout before the last layer.
function sface() {
  const g = new Graph();
  const unit = (h, x, [from, to], options) => h.prelu(h.batch(h.conv(x, [from, to], { ...options, bias: false }), to), to);
  let x = g.add("Mul", [g.add("Sub", ["data", g.floats([1], () => 127.5)]), g.floats([1], () => 0.0078125)]);
  x = unit(g, x, [3, 8], {});
  for (const [from, to, stride] of [[8, 12, 2], [12, 16, 2], [16, 16, 1], [16, 24, 2], [24, 24, 2]])
    x = unit(g, unit(g, x, [from, from], { group: from, stride }), [from, to], { k: 1 });
  x = g.add("Dropout", [g.batch(x, 24)], { ratio: real(0.4) });
  const y = g.add("Gemm", [g.add("Flatten", [x]), g.weights([128, 24 * 49]), g.floats([128], normal)], { alpha: real(1), beta: real(1), transA: 0, transB: 1 });
  g.output(g.batch(y, 128), "fc1");
  return g.bytes({ data: [1, 3, 112, 112] }, 9);
}

// Convolutions, layer normalisation over channels, attention across channels, low-rank linear layers.
function linear(g, x, from, to) {
  const low = g.add("MatMul", [x, g.weights([from, 4])]);
  return g.add("Add", [g.add("MatMul", [low, g.weights([4, to])]), g.floats([to], normal)]);
}

function gelu(g, x) {
  const inner = g.add("Erf", [g.add("Div", [x, g.floats([], () => Math.SQRT2)])]);
  return g.add("Mul", [g.add("Mul", [x, g.add("Add", [inner, g.floats([], () => 1)])]), g.floats([], () => 0.5)]);
}

function layerNorm(g, x, channels) {
  const centred = g.add("Sub", [x, g.add("ReduceMean", [x], { axes: [-1] })]);
  const variance = g.add("ReduceMean", [g.add("Pow", [centred, g.floats([], () => 2)])], { axes: [-1] });
  const deviation = g.add("Sqrt", [g.add("Add", [variance, g.floats([], () => 1e-6)])]);
  return g.add("Add", [g.add("Mul", [g.add("Div", [centred, deviation]), g.floats([channels], () => 0.7 + random())]), g.floats([channels], normal)]);
}

function unitRows(g, x) {
  const length = g.add("Clip", [g.add("ReduceL2", [x], { axes: [-1], keepdims: 1 }), g.floats([], () => 1e-12)]);
  return g.add("Div", [x, g.add("Expand", [length, g.add("Shape", [x])])]);
}

function attention(g, x, pixels, c, heads) {
  const qkv = g.add("Reshape", [linear(g, layerNorm(g, x, c), c, 3 * c), g.integers([1, pixels, 3, heads, c / heads])]);
  const turned = g.add("Transpose", [qkv], { perm: [2, 0, 3, 4, 1] });
  const [q, k, v] = [0, 1, 2].map((i) => g.add("Gather", [turned, g.integers([i], [])], { axis: 0 }));
  const scores = g.add("MatMul", [unitRows(g, q), g.add("Transpose", [unitRows(g, k)], { perm: [0, 1, 3, 2] })]);
  const weights = g.add("Softmax", [g.add("Mul", [scores, g.floats([heads, 1, 1], () => 1 + random())])], { axis: -1 });
  const out = g.add("Transpose", [g.add("MatMul", [weights, v])], { perm: [0, 3, 1, 2] });
  return g.add("Add", [x, linear(g, g.add("Reshape", [out, g.integers([1, pixels, c])]), c, c)]);
}

function edgeBlock(g, x, c, side, attend) {
  let y = g.conv(x, [c, c], { k: 5, group: c });
  y = g.add("Transpose", [y], { perm: [0, 2, 3, 1] });
  if (attend) {
    const rows = attention(g, g.add("Reshape", [y, g.integers([1, side * side, c])]), side * side, c, 4);
    y = g.add("Reshape", [rows, g.integers([1, side, side, c])]);
  }
  y = linear(g, gelu(g, linear(g, layerNorm(g, y, c), c, 4 * c)), 4 * c, c);
  y = g.add("Mul", [y, g.floats([c], () => 0.5 + random())]);
  return g.add("Add", [x, g.add("Transpose", [y], { perm: [0, 3, 1, 2] })]);
}

function edgeface() {
  const g = new Graph(), c = 16;
  const channelNorm = (x, n) => g.add("Transpose", [layerNorm(g, g.add("Transpose", [x], { perm: [0, 2, 3, 1] }), n)], { perm: [0, 3, 1, 2] });
  let x = channelNorm(g.conv("input", [3, c], { k: 4, stride: 4, pad: 0 }), c);
  x = edgeBlock(g, x, c, 28, false);
  x = g.conv(channelNorm(x, c), [c, c], { k: 2, stride: 2, pad: 0 });
  x = edgeBlock(g, x, c, 14, true);
  const pooled = g.add("Flatten", [g.add("GlobalAveragePool", [x])]);
  g.output(g.add("Gemm", [layerNorm(g, pooled, c), g.weights([512, c])], { transB: 1 }), "output");
  return g.bytes({ input: ["batch", 3, 112, 112] }, 13);
}

// ---- comparison with ONNX Runtime ----

const failures = [];
function check(name, good, why = "") {
  console.log(`${good ? "ok  " : "FAIL"} ${name}${good ? "" : `: ${why}`}`);
  if (!good) failures.push(name);
}

async function oracle(bytes, input, side) {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const out = await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", input, [1, 3, side, side]) });
  return Object.fromEntries(session.outputNames.map((name) => [name, out[name]]));
}

function write(name, bytes, use) {
  const onnx = join(golden.folder, `${name}.onnx`), folder = join(golden.folder, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(onnx, bytes);
  golden.program(process.env.KEN, ["model", "import", onnx, "-o", join(folder, `${use.role}.ken`), ...Object.entries(use).flatMap(([k, v]) => [`--${k}`, v])]);
  return folder;
}

async function compare(name, bytes, use, side) {
  const model = join(write(name, bytes, use), `${use.role}.ken`);
  const samples = [0, 1].map(() => golden.fill(3 * side * side, () => (use.mean === "0" ? random() * 255 : normal())));
  const wanted = [];
  for (const sample of samples) wanted.push(golden.concatenate(Object.values(await oracle(bytes, sample, side)).map((t) => t.data)));
  for (const level of golden.levels) {
    const ours = golden.runKen(model, samples, { KEN_SIMD: level, KEN_THREADS: "2" });
    const most = Math.max(...ours.map((o, i) => golden.maxDifference(o, wanted[i]) / Math.max(1, wanted[i].reduce((a, x) => Math.max(a, Math.abs(x)), 0))));
    check(`${name} KEN_SIMD=${level}`, most <= 1e-4, `max difference ${most}`);
  }
}

// ---- detectors, all the way ----

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function png(width, height, rgb) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]), out = Buffer.alloc(8);
    out.writeUInt32BE(data.length);
    out.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([out.subarray(0, 4), body, out.subarray(4)]);
  };
  const head = Buffer.alloc(13), rows = Buffer.alloc(height * (1 + 3 * width));
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  for (let y = 0; y < height; y++) rows.set(rgb.subarray(3 * width * y, 3 * width * (y + 1)), y * (1 + 3 * width) + 1);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

// Candidates from outputs by name: { score, box: [left, top, right, bottom], points: [[x, y] * 5] } in input pixels.
const decoders = {
  scrfd(out, side) {
    const found = [];
    for (const stride of [8, 16, 32]) {
      const across = side / stride, scores = out[`score_${stride}`].data, boxes = out[`bbox_${stride}`].data, points = out[`kps_${stride}`]?.data;
      for (let i = 0; i < 2 * across * across; i++) {
        const x = (Math.floor(i / 2) % across) * stride, y = Math.floor(i / 2 / across) * stride;
        const [l, t, r, b] = [0, 1, 2, 3].map((k) => boxes[4 * i + k] * stride);
        found.push({ score: scores[i], box: [x - l, y - t, x + r, y + b],
          points: points && [0, 1, 2, 3, 4].map((k) => [x + points[10 * i + 2 * k] * stride, y + points[10 * i + 2 * k + 1] * stride]) });
      }
    }
    return found;
  },
  yunet(out, side) {
    const found = [];
    for (const stride of [8, 16, 32]) {
      const across = side / stride, part = (name) => out[`${name}_${stride}`].data;
      for (let row = 0; row < across; row++)
        for (let column = 0; column < across; column++) {
          const i = row * across + column, b = part("bbox").subarray(4 * i, 4 * i + 4), k = part("kps");
          const cx = (column + b[0]) * stride, cy = (row + b[1]) * stride, w = Math.exp(b[2]) * stride, h = Math.exp(b[3]) * stride;
          found.push({ score: Math.sqrt(part("cls")[i] * part("obj")[i]), box: [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2],
            points: [0, 1, 2, 3, 4].map((n) => [(k[10 * i + 2 * n] + column) * stride, (k[10 * i + 2 * n + 1] + row) * stride]) });
        }
    }
    return found;
  },
};

function overlap(a, b) {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = w > 0 && h > 0 ? w * h : 0, area = (r) => (r[2] - r[0]) * (r[3] - r[1]);
  return shared / (area(a) + area(b) - shared);
}

// A score between two candidates', so that rounding decides nothing; about 40 above it.
function chooseScore(candidates) {
  const scores = candidates.map((c) => c.score).sort((a, b) => b - a);
  let at = 40;
  while (scores[at] - scores[at + 1] < 1e-5) at++;
  return (scores[at] + scores[at + 1]) / 2;
}

function wantedFaces(candidates, least, factor, side) {
  const kept = [];
  // No face: less than a pixel of the picture, or nothing of it.
  const isFace = ({ score, box: [l, t, r, b] }) => score > least && (r - l) * factor >= 1 && (b - t) * factor >= 1 && r > 0 && b > 0 && l < side && t < side;
  for (const c of candidates.filter(isFace).sort((a, b) => b.score - a.score))
    if (kept.every((k) => overlap(k.box, c.box) <= 0.3)) kept.push(c);
  const clamp = (x) => Math.min(Math.max(x, 0), side * factor);
  return kept.map(({ score, box, points }) => {
    const [l, t, r, b] = box.map((x) => x * factor);
    return { score, box: [clamp(l), clamp(t), Math.max(Math.min(r, side * factor) - clamp(l), 0), Math.max(Math.min(b, side * factor) - clamp(t), 0)],
      landmarks: points.map((p) => p.map((x) => x * factor)) };
  });
}

// The picture is the network's input with each pixel `factor` times as wide and high.
async function compareFaces(form, bytes, { side, factor, order, mean, scale }) {
  const small = golden.fill(3 * side * side, (i) => Math.floor(128 + 100 * Math.sin(i / 50) * Math.cos(i / 7000) + 27 * (random() * 2 - 1)));
  const wide = side * factor, rgb = new Uint8Array(3 * wide * wide);
  for (let y = 0; y < wide; y++) for (let x = 0; x < wide; x++) for (let c = 0; c < 3; c++)
    rgb[3 * (y * wide + x) + c] = small[3 * (Math.floor(y / factor) * side + Math.floor(x / factor)) + c];
  const input = new Float32Array(3 * side * side);
  for (let i = 0; i < side * side; i++) for (let c = 0; c < 3; c++)
    input[c * side * side + i] = (small[3 * i + (order === "bgr" ? 2 - c : c)] - mean) * scale;
  const candidates = decoders[form](await oracle(bytes, input, side), side), least = chooseScore(candidates);
  const wanted = wantedFaces(candidates, least, factor, side), photo = join(golden.folder, "photo.png");
  writeFileSync(photo, png(wide, wide, rgb));
  const said = spawnSync(process.env.KEN, ["identify", "--json", "--min-score", String(least), "--models", join(golden.folder, form), photo],
    { encoding: "utf8", cwd: golden.folder, env: { ...process.env, KEN_GALLERY: "" } });
  const name = `${form}: faces of a picture ${factor} times the input`;
  if (said.status !== 0) return check(name, false, said.stderr);
  const faces = JSON.parse(said.stdout).photos[0].faces, numbers = (f) => [f.score, ...f.box, ...f.landmarks.flat()];
  if (faces.length !== wanted.length || faces.length < 4) return check(name, false, `${faces.length} faces, not ${wanted.length}`);
  let most = 0;
  for (const one of wanted) {
    const apart = faces.map((f) => golden.maxDifference(numbers(f), numbers(one))), nearest = apart.indexOf(Math.min(...apart));
    most = Math.max(most, apart[nearest]);
    faces.splice(nearest, 1);
  }
  check(name, most < 0.06, `off by ${most}`); // printed with one digit behind the point
}

function refusal(name, folder, words) {
  const photo = join(golden.folder, "photo.png");
  const said = spawnSync(process.env.KEN, ["identify", "--models", folder, photo], { encoding: "utf8", cwd: golden.folder, env: { ...process.env, KEN_GALLERY: "" } });
  check(name, said.status === 1 && said.stderr.includes(words), said.stderr);
}

const zero = { "input-order": "bgr", mean: "0", scale: "1" };
const rgb = { "input-order": "rgb", mean: "127.5", scale: "1/128" };
const nine = scrfd({ points: true }), twelve = yunet(), arc = arcface();
await compare("scrfd", nine, { role: "detect", ...rgb, "input-shape": "1x3x160x160" }, 160);
await compare("scrfd-batched", scrfd({ points: true, batched: true }), { role: "detect", ...rgb }, 160);
await compare("scrfd-6", scrfd({ norm: true }), { role: "detect", ...rgb, "input-shape": "1x3x160x160" }, 160);
await compare("yunet", twelve, { role: "detect", ...zero }, 160);
await compare("arcface", arc, { role: "embed", ...rgb }, 112);
await compare("mobilefacenet", mobilefacenet(), { role: "embed", ...rgb }, 112);
await compare("sface", sface(), { role: "embed", ...zero }, 112);
await compare("edgeface", edgeface(), { role: "embed", ...rgb }, 112);
for (const form of ["scrfd", "yunet"]) write(form, arc, { role: "embed", ...rgb });
for (const factor of [1, 2]) {
  await compareFaces("scrfd", nine, { side: 160, factor, order: "rgb", mean: 127.5, scale: 1 / 128 });
  await compareFaces("yunet", twelve, { side: 160, factor, order: "bgr", mean: 0, scale: 1 });
}
refusal("no embedder", join(golden.folder, "scrfd-6"), "landmark.ken");
write("arcface", arc, { role: "detect", ...rgb });
refusal("an embedder is no detector", join(golden.folder, "arcface"), "1 outputs (683 1x512) have none of the forms that ken decodes");
writeFileSync(join(golden.folder, "yunet.onnx"), twelve);
golden.program(process.env.KEN, ["model", "import", join(golden.folder, "yunet.onnx"), "-o", join(golden.folder, "yunet", "embed.ken")]);
refusal("imported for nothing", join(golden.folder, "yunet"), "imported with the role none: import it with --role embed");
process.exit(failures.length ? 1 : 0);
