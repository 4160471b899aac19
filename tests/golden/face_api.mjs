// The network that tools/convert-face-api.mjs writes: against the package's own program (TensorFlow.js in plain JavaScript),
// and ken against ONNX Runtime.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { convert } from "../../tools/convert-face-api.mjs";
import * as golden from "./oracle.mjs";

const SIDE = 150, MEAN = [122.782, 117.001, 104.298];
const ort = golden.loadOracle(), folder = golden.needPackage("@vladmandic/face-api"), random = golden.randomSource(3);
const failures = [];
function check(name, most, limit) {
  console.log(`${most <= limit ? "ok  " : "FAIL"} ${name}: max difference ${most.toExponential(2)}`);
  if (!(most <= limit)) failures.push(name);
}

// Its bundle for browsers; within Node it looks for functions that are not where it looks, so Node is hidden from it. The
// copy's name says that it is a module, which Node 18 does not see by itself.
async function loadFaceApi() {
  const { process } = globalThis, copies = mkdtempSync(join(tmpdir(), "ken-face-api-")), copy = join(copies, "face-api.mjs");
  copyFileSync(join(folder, "dist/face-api.esm.js"), copy);
  globalThis.process = undefined;
  const api = await import(pathToFileURL(copy).href).finally(() => {
    globalThis.process = process;
    rmSync(copies, { recursive: true });
  });
  class None {}
  api.tf.env().setPlatform("test", { now: () => performance.now(), isTypedArray: (a) => ArrayBuffer.isView(a) && !(a instanceof DataView) });
  api.env.setEnv({ Canvas: None, CanvasRenderingContext2D: None, Image: None, ImageData: None, Video: None, createCanvasElement() {}, createImageElement() {},
    createVideoElement() {}, fetch() {}, readFile() {} });
  await api.tf.setBackend("cpu");
  const manifest = JSON.parse(readFileSync(join(folder, "model/face_recognition_model-weights_manifest.json"), "utf8"));
  const bytes = readFileSync(join(folder, "model/face_recognition_model.bin")), net = new api.FaceRecognitionNet();
  net.loadFromWeightMap(api.tf.io.decodeWeights(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength), manifest.flatMap((g) => g.weights)));
  return async (pixels) => (await net.forward(api.tf.tensor4d(pixels, [1, SIDE, SIDE, 3]))).data();
}

// Pixels as bytes, row by row; something with edges in it, and noise.
const pictures = [
  golden.fill(3 * SIDE * SIDE, () => Math.floor(random() * 256)),
  golden.fill(3 * SIDE * SIDE, (i) => Math.floor(128 + 100 * Math.sin(i / 37) * Math.cos(Math.floor(i / 450) / 11))),
];
const inputs = pictures.map((pixels) => {
  const input = new Float32Array(pixels.length);
  for (let i = 0; i < SIDE * SIDE; i++) for (let c = 0; c < 3; c++) input[c * SIDE * SIDE + i] = (pixels[3 * i + c] - MEAN[c]) / 255;
  return input;
});

const onnx = convert(folder), session = await ort.InferenceSession.create(onnx, { logSeverityLevel: 3 });
const wanted = [];
for (const input of inputs) wanted.push((await session.run({ input: new ort.Tensor("float32", input, [1, 3, SIDE, SIDE]) })).descriptor.data);
writeFileSync(join(golden.folder, "face.onnx"), onnx);
const model = golden.importModel(join(golden.folder, "face.onnx"), "face");
for (const level of golden.levels)
  for (const threads of ["1", "2"]) {
    const ours = golden.runKen(model, inputs, { KEN_SIMD: level, KEN_THREADS: threads });
    check(`ken and ONNX Runtime, KEN_SIMD=${level} threads ${threads}`, Math.max(...ours.map((o, i) => golden.maxDifference(o, wanted[i]))), 1e-5);
  }
const describe = await loadFaceApi();
check("ken and the package's own program", golden.maxDifference(golden.runKen(model, inputs, {})[1], await describe(pictures[1])), 1e-4);
process.exit(failures.length ? 1 : 0);
