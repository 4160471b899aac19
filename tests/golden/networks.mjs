// The networks that ken ships with, against ONNX Runtime: every SIMD level, one thread and two, on random and
// structured pictures. KEN and RUN_MODEL name the programs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as golden from "./oracle.mjs";

// Where products are of 16 bits (vnni), a picture of one colour, in which no face is, may differ twice as much.
const LIMIT = 1e-4, FLAT_LIMIT = 2e-4, FLAT = [5, 6];
const ort = golden.loadOracle();
const manifest = JSON.parse(readFileSync(join(golden.root, "models/manifest.json"), "utf8"));

// Pictures of bytes, normalised as the manifest says: noise, slopes, a checkerboard, black, white, a blob.
function pictures(shape, { subtract, divide }, seed) {
  const [, , height, width] = shape, count = shape.reduce((a, b) => a * b, 1);
  const random = golden.randomSource(seed);
  const at = (i) => [i % width, Math.floor(i / width) % height, Math.floor(i / (width * height))];
  const normal = (byte) => (byte - subtract) / divide;
  const blob = (x, y, c) => 255 * Math.exp(-(((x - width / 2) / (width / 5)) ** 2) - ((y - height / 2) / (height / 4)) ** 2) / (1 + c / 4);
  return [
    golden.fill(count, () => normal(Math.floor(random() * 256))),
    golden.fill(count, () => normal(Math.floor(random() * 32) + 100)),
    golden.fill(count, (i) => normal(Math.floor((255 * at(i)[0]) / width))),
    golden.fill(count, (i) => normal(Math.floor((255 * at(i)[1]) / height))),
    golden.fill(count, (i) => normal(((at(i)[0] >> 3) + (at(i)[1] >> 3) + at(i)[2]) % 2 ? 220 : 30)),
    golden.fill(count, () => normal(0)),
    golden.fill(count, () => normal(255)),
    golden.fill(count, (i) => normal(Math.floor(blob(...at(i))))),
  ];
}

async function expected(path, input, samples) {
  const session = await ort.InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const results = [];
  for (const sample of samples) {
    const out = await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", sample, input.shape) });
    results.push(golden.concatenate(session.outputNames.map((name) => out[name].data)));
  }
  return results;
}

let failures = 0;
for (const network of manifest.models) {
  const path = join(golden.needPackage(network.package), network.file);
  const samples = pictures(network.input.shape, network.input, 7);
  const prepare = network.role === "embed" ? golden.unit : (x) => x;
  const oracle = (await expected(path, network.input, samples)).map(prepare);
  const { channels, subtract, divide } = network.input;
  const model = golden.importModel(path, network.name, // its role decides where 16-bit products are good enough
    ["--role", network.role, "--input-order", channels, "--mean", subtract, "--scale", `1/${divide}`]);
  for (const level of golden.levels)
    for (const threads of [1, 2]) {
      const ours = golden.runKen(model, samples, { KEN_SIMD: level, KEN_THREADS: String(threads) }).map(prepare);
      // Outputs here are of the order of 1; larger ones (class scores) are judged against their size.
      const differences = ours.map((o, i) => golden.maxDifference(o, oracle[i]) / Math.max(1, ...oracle[i].map(Math.abs)));
      const limit = (i) => level === "vnni" && FLAT.includes(i) ? FLAT_LIMIT : LIMIT;
      const most = Math.max(...differences), good = differences.every((d, i) => d <= limit(i));
      failures += !good;
      console.log(`${good ? "ok  " : "FAIL"} ${network.name} KEN_SIMD=${level} threads ${threads}: max difference ${most.toExponential(2)}`);
    }
}
process.exit(failures ? 1 : 0);
