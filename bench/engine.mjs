// ken's engine against ONNX Runtime, one thread each, in turns within one run: absolute times of a shared machine
// mean little, the ratio of neighbours does. Writes build/bench/engine.json.
// usage: node bench/engine.mjs [BUILD_FOLDER (build/release)] [ROUNDS (12)]
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// ONNX Runtime flushes denormals in the thread that makes the session; Node runs it in any of its pool. With one
// thread in that pool, the two are the same, and the comparison is fair to it.
if (process.env.UV_THREADPOOL_SIZE !== "1") {
  const again = spawnSync(process.execPath, process.argv.slice(1), { stdio: "inherit", env: { ...process.env, UV_THREADPOOL_SIZE: "1" } });
  process.exit(again.status ?? 1);
}

const root = new URL("..", import.meta.url).pathname;
const build = process.argv[2] ?? join(root, "build/release"), rounds = Number(process.argv[3] ?? 12);
const runs = 15, coldStarts = 21;
const program = join(build, "bench/engine");
const manifest = JSON.parse(readFileSync(join(root, "models/manifest.json"), "utf8"));
const names = ["fr_feature", "fr_detect", "fr_landmark"];

function engine(...args) {
  const text = execFileSync(program, args, { encoding: "utf8", env: { ...process.env, KEN_THREADS: "1" } });
  return text.trim().split("\n").map(Number);
}

function sorted(times) {
  return [...times].sort((a, b) => a - b);
}

const median = (times) => sorted(times)[times.length >> 1];
const round = (x, digits = 3) => Number(x.toFixed(digits));

function loadOracle() {
  try {
    return createRequire(join(root, "package.json"))("onnxruntime-node");
  } catch {
    console.error("onnxruntime-node is not installed (npm ci): nothing to compare with");
    process.exit(77);
  }
}

const ort = loadOracle();
// Denormals as zero on its side too: fr_feature holds thousands of them.
const options = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential",
  graphOptimizationLevel: "all", logSeverityLevel: 3,
  extra: { session: { set_denormal_as_zero: "1", intra_op: { allow_spinning: "0" } } } };

function onnxPath(network) {
  return join(root, "node_modules", network.package, network.file);
}

async function openOracle(network) {
  const session = await ort.InferenceSession.create(onnxPath(network), options);
  const count = network.input.shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count }, () => Math.random() * 2 - 1);
  const feeds = { [session.inputNames[0]]: new ort.Tensor("float32", data, network.input.shape) };
  for (let i = 0; i < 5; i++) await session.run(feeds);
  return { session, feeds };
}

async function oracleTimes({ session, feeds }) {
  const times = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await session.run(feeds);
    times.push(performance.now() - start);
  }
  return times;
}

async function compare(network, peak) {
  const model = join(root, "build/models", `${network.name}.ken`);
  const macs = JSON.parse(execFileSync(join(build, "ken"), ["model", "info", model, "--json"], { encoding: "utf8" })).multiply_adds;
  const oracle = await openOracle(network);
  const ours = [], theirs = [], ratios = [];
  for (let i = 0; i < rounds; i++) {
    const a = engine("run", model, String(runs)), b = await oracleTimes(oracle);
    ours.push(...a);
    theirs.push(...b);
    ratios.push(median(b) / median(a));
  }
  const gflops = (2 * macs) / (sorted(ours)[0] * 1e6); // both are the best of many: the peak is, too
  return {
    ken_ms: round(median(ours)), ken_min_ms: round(sorted(ours)[0]),
    onnxruntime_ms: round(median(theirs)), onnxruntime_min_ms: round(sorted(theirs)[0]),
    ratio: round(median(ratios), 2), ratio_of_minima: round(sorted(theirs)[0] / sorted(ours)[0], 2),
    gflops: round(gflops, 1), percent_of_peak: peak ? round((100 * gflops) / peak, 1) : null,
  };
}

async function oracleColdStart(network) {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    const session = await ort.InferenceSession.create(onnxPath(network), options);
    const data = new Float32Array(network.input.shape.reduce((a, b) => a * b, 1));
    await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", data, network.input.shape) });
    times.push(performance.now() - start);
    await session.release?.();
  }
  return median(times);
}

const [peak] = engine("peak");
const result = { peak_gflops: peak, threads: 1, onnxruntime: "1.30.0, intra_op threads 1, set_denormal_as_zero, UV_THREADPOOL_SIZE 1", networks: {}, cold_start_ms: {} };
for (const name of names) {
  const network = manifest.models.find((m) => m.name === name);
  result.networks[name] = await compare(network, peak);
  console.log(name, JSON.stringify(result.networks[name]));
}
const feature = manifest.models.find((m) => m.name === "fr_feature");
const cold = engine("cold", join(root, "build/models/fr_feature.ken"), String(coldStarts));
result.cold_start_ms = {
  ken_process_to_first_embedding: round(median(cold)), ken_min: round(sorted(cold)[0]),
  // without the start of its process: Node's own would not be fair to it
  onnxruntime_session_to_first_embedding: round(await oracleColdStart(feature)),
};
console.log("cold start", JSON.stringify(result.cold_start_ms), "peak", peak, "GFLOP/s");
mkdirSync(join(root, "build/bench"), { recursive: true });
writeFileSync(join(root, "build/bench/engine.json"), JSON.stringify(result, null, 1) + "\n");
