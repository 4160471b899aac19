// Face detectors that npm carries, judged as ken's own: node bench/detectors/compare.mjs IMAGES FACES.tsv [BUILD_FOLDER]
// after `npm ci --prefix bench/detectors`. IMAGES and FACES as of `ken evaluate detection`. What each finds goes to
// build/bench/detectors/, a table to standard output. TensorFlow.js runs them in WebAssembly on one thread, so that their
// times say how they compare with each other, not with C; decoding and reducing the photo are not counted.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { faceApiDetectors } from "./faceapi.mjs";
import { mediapipeDetectors } from "./mediapipe.mjs";
import { mtcnnDetectors } from "./mtcnn.mjs";
import { overlap, readPicture } from "./picture.mjs";

const [images, faces, build = "build/release"] = process.argv.slice(2);
if (!faces) {
  console.error("usage: node bench/detectors/compare.mjs IMAGES FACES.tsv [BUILD_FOLDER]");
  process.exit(2);
}
const root = join(import.meta.dirname, "../.."), out = join(root, "build/bench/detectors"), least = 0.05;
const truth = new Map();
for (const line of readFileSync(faces, "utf8").split("\n")) {
  const [image, x, y, w, h, ignore] = line.split("\t");
  if (ignore !== "0" && ignore !== "1") continue;
  truth.set(image, [...(truth.get(image) ?? []), { x: +x, y: +y, w: +w, h: +h, ignore: ignore === "1" }]);
}

async function startTensorFlow() {
  const require = createRequire(import.meta.url), tf = require("@tensorflow/tfjs"), wasm = require("@tensorflow/tfjs-backend-wasm");
  wasm.setWasmPaths(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")) + sep);
  wasm.setThreadsCount(1);
  await tf.setBackend("wasm");
  await tf.ready();
  return tf;
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

// Each network has its own idea of how much of the head a box holds. The median move and growth from its boxes to the
// true ones is taken out, from these very photos: kind to the networks.
function mend(found) {
  const pairs = [];
  for (const [image, boxes] of found)
    for (const box of boxes.filter(({ score }) => score > 0.5)) {
      const face = truth.get(image).find((other) => !other.ignore && overlap(box, other) > 0.3);
      if (face) pairs.push([(face.x - box.x) / box.w, (face.y - box.y) / box.h, face.w / box.w, face.h / box.h]);
    }
  if (pairs.length < 20) return found;
  const [dx, dy, kw, kh] = [0, 1, 2, 3].map((c) => median(pairs.map((pair) => pair[c])));
  return new Map([...found].map(([image, boxes]) =>
    [image, boxes.map((b) => ({ x: b.x + dx * b.w, y: b.y + dy * b.h, w: b.w * kw, h: b.h * kh, score: b.score }))]));
}

function judge(name, found) {
  const path = join(out, `${name.replace(/[^a-z0-9]+/gi, "-").toLowerCase()}.tsv`);
  const lines = [...found].flatMap(([image, boxes]) => boxes.map((b) => [image, ...[b.x, b.y, b.w, b.h].map((v) => v.toFixed(2)), b.score.toFixed(6)].join("\t")));
  writeFileSync(path, ["image\tx\ty\tw\th\tscore", ...lines].join("\n") + "\n");
  const args = ["evaluate", "detection", "--faces", faces, "--found", path, "--json"];
  return JSON.parse(execFileSync(join(root, build, "ken"), args, { encoding: "utf8" }));
}

const percent = (value) => (100 * value).toFixed(1);
const tf = await startTensorFlow();
mkdirSync(out, { recursive: true });
const makers = [faceApiDetectors, mediapipeDetectors, mtcnnDetectors];
const detectors = (await Promise.all(makers.map((make) => make(tf, least)))).flat();
const results = detectors.map(() => ({ found: new Map(), times: [] }));
for (const image of truth.keys()) {
  const picture = readPicture(join(images, image));
  for (const [i, { run }] of detectors.entries()) {
    const { boxes, ms } = await run(picture);
    results[i].found.set(image, boxes);
    results[i].times.push(ms);
  }
}
console.log("| detector | recall at precision 0.95 | average precision | recall at any score | ms a photo |\n|---|---|---|---|---|");
for (const [i, { name }] of detectors.entries()) {
  const { found, times } = results[i], result = judge(name, mend(found)), [low, high] = result["interval_95"] ?? [];
  const interval = low === undefined ? "" : ` (${percent(low)} to ${percent(high)})`;
  console.log(`| ${name} | ${percent(result["recall_at_precision_0.95"])} %${interval} | ${result.average_precision.toFixed(3)} | ${percent(result.recall)} % | ${median(times).toFixed(0)} |`);
}
