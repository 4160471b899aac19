// ken's engine against other engines, one thread each, in turns within one run: absolute times of a shared machine mean
// little, the ratio of neighbours does. Writes build/bench/engine.json and prints a table. A peer that is not installed
// is left out. usage: node bench/engine.mjs [BUILD_FOLDER (build/release)] [ROUNDS (12)]
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { join } from "node:path";
import { convert } from "../tools/convert-face-api.mjs";

// ONNX Runtime flushes denormals in the thread that makes the session; Node runs it in any of its pool. With one
// thread in that pool, the two are the same, and the comparison is fair to it.
if (process.env.UV_THREADPOOL_SIZE !== "1") {
  const again = spawnSync(process.execPath, process.argv.slice(1), { stdio: "inherit", env: { ...process.env, UV_THREADPOOL_SIZE: "1" } });
  process.exit(again.status ?? 1);
}

const root = new URL("..", import.meta.url).pathname;
const build = process.argv[2] ?? join(root, "build/release"), rounds = Number(process.argv[3] ?? 12);
const runs = 15, coldStarts = 21, bench = join(build, "bench");
const manifest = JSON.parse(readFileSync(join(root, "models/manifest.json"), "utf8"));
const networks = ["fr_feature", "fr_detect", "fr_landmark"].map((name) => manifest.models.find((m) => m.name === name));
const environment = { ...process.env, KEN_THREADS: "1", OMP_NUM_THREADS: "1" };

const sorted = (times) => [...times].sort((a, b) => a - b);
const median = (times) => sorted(times)[times.length >> 1];
const round = (x, digits = 3) => Number(x.toFixed(digits));
const onnxPath = (network) => network.onnx ?? join(root, "node_modules", network.package, network.file);
const modelPath = (network) => join(root, "build/models", `${network.name}.ken`);

// The numbers a program prints, one a line.
function numbers(program, args, extra = {}) {
  const text = execFileSync(program, args.map(String), { encoding: "utf8", env: { ...environment, ...extra } });
  return text.trim().split("\n").map(Number);
}

const engine = (args, extra) => numbers(join(bench, "engine"), args, extra);

// A network of 3x3 convolutions, from a package that only tests and this install.
function addResnet() {
  const folder = join(root, "node_modules/@vladmandic/face-api"), network = { name: "dlib_resnet", input: { shape: [1, 3, 150, 150] } };
  if (!existsSync(folder)) return;
  network.onnx = join(root, "build/bench/dlib_resnet.onnx");
  mkdirSync(join(root, "build/bench"), { recursive: true });
  writeFileSync(network.onnx, convert(folder));
  execFileSync(join(build, "ken"), ["model", "import", network.onnx, "-o", modelPath(network)]);
  networks.push(network);
}
addResnet();

function onnxRuntime() {
  let ort;
  try {
    ort = createRequire(join(root, "package.json"))("onnxruntime-node");
  } catch {
    return null;
  }
  // Denormals as zero on its side too: fr_feature holds thousands of them.
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential",
    graphOptimizationLevel: "all", logSeverityLevel: 3,
    extra: { session: { set_denormal_as_zero: "1", intra_op: { allow_spinning: "0" } } } };
  const sessions = new Map();
  async function open(network) {
    const session = await ort.InferenceSession.create(onnxPath(network), options);
    const data = Float32Array.from({ length: network.input.shape.reduce((a, b) => a * b, 1) }, () => Math.random() * 2 - 1);
    return { session, feeds: { [session.inputNames[0]]: new ort.Tensor("float32", data, network.input.shape) } };
  }
  async function run(network) {
    if (!sessions.has(network)) sessions.set(network, await open(network));
    const { session, feeds } = sessions.get(network), times = [];
    for (let i = -3; i < runs; i++) {
      const start = performance.now();
      await session.run(feeds);
      if (i >= 0) times.push(performance.now() - start);
    }
    return times;
  }
  // Without the start of its process: Node's own would not be fair to it.
  async function cold(network) {
    const start = performance.now(), { session, feeds } = await open(network);
    await session.run(feeds);
    return [performance.now() - start];
  }
  return { run, cold };
}

// A program like bench/peer.c.
function program(name) {
  const path = join(bench, name);
  if (!existsSync(path)) return null;
  return {
    run: (network) => numbers(path, ["run", modelPath(network), runs]),
    cold: (network) => engine(["cold", modelPath(network), 5, path]),
  };
}

function openCv() {
  const path = join(root, "bench/peer_opencv.py"), python = "/usr/bin/python3";
  const arguments_ = (what, network) => [path, what, onnxPath(network), runs, ...network.input.shape.slice(1), join(bench, "libflush.so")];
  if (spawnSync(python, ["-c", "import cv2"]).status !== 0) return null;
  return { run: (network) => numbers(python, arguments_("run", network)) };
}

// The best of what it is given: the peak is, too.
async function compare(network, peers, peaks) {
  const macs = JSON.parse(execFileSync(join(build, "ken"), ["model", "info", modelPath(network), "--json"], { encoding: "utf8" })).multiply_adds;
  const times = {}, ratios = {};
  for (let i = 0; i < rounds; i++) {
    const round_ = { ken: engine(["run", modelPath(network), runs]) };
    if (peaks.avx512) round_.ken_fp32 = engine(["run", modelPath(network), runs], { KEN_SIMD: "avx512" });
    if (peaks.avx512) round_.ken_avx2 = engine(["run", modelPath(network), runs], { KEN_SIMD: "avx2" });
    for (const [name, peer] of Object.entries(peers)) round_[name] = await peer.run(network);
    for (const [name, t] of Object.entries(round_)) {
      (times[name] ??= []).push(...t);
      (ratios[name] ??= []).push(Math.min(...t) / Math.min(...round_.ken));
    }
  }
  const best = (name) => sorted(times[name])[0], gflops = (name) => (2 * macs) / (best(name) * 1e6);
  const peak = peaks.avx512 ?? peaks.avx2 ?? peaks.neon;
  const result = { multiply_adds: macs, gflops: round(gflops("ken"), 1), percent_of_peak: peak ? round((100 * gflops("ken")) / peak, 1) : null };
  if (times.ken_fp32) result.percent_of_peak_fp32 = round((100 * gflops("ken_fp32")) / peak, 1);
  if (times.ken_avx2) result.percent_of_peak_avx2 = round((100 * gflops("ken_avx2")) / peaks.avx2, 1);
  for (const name of Object.keys(times)) {
    result[`${name}_ms`] = round(best(name));
    result[`${name}_median_ms`] = round(median(times[name]));
    if (name !== "ken") result[`${name}_ratio`] = round(median(ratios[name]), 2); // of a round's minima: the middle one
  }
  return result;
}

// How much more two threads do than one, and a process on each core than one process.
async function scaling(network) {
  const one = [], two = [], together = [], cores = cpus().length;
  for (let i = 0; i < rounds; i++) {
    one.push(Math.min(...engine(["run", modelPath(network), runs])));
    two.push(Math.min(...engine(["run", modelPath(network), runs], { KEN_THREADS: "2" })));
    const all = Array.from({ length: cores }, () => new Promise((done) => {
      let text = "";
      const child = spawn(join(bench, "engine"), ["run", modelPath(network), String(4 * runs)], { env: environment });
      child.stdout.on("data", (data) => { text += data; });
      child.on("close", () => done(median(text.trim().split("\n").map(Number))));
    }));
    together.push(...(await Promise.all(all)));
  }
  const best = (times) => sorted(times)[0];
  return { cores, two_threads: round(best(one) / best(two), 2), processes_a_core: round(best(one) / best(together), 2),
    runs_a_second_and_core: round(1000 / best(one), 0) };
}

async function coldStarts_(network, peers) {
  const cold = engine(["cold", modelPath(network), coldStarts]);
  const two = engine(["cold", modelPath(network), coldStarts], { KEN_THREADS: "2" });
  const result = { ken: round(sorted(cold)[0]), ken_median: round(median(cold)), ken_two_threads: round(sorted(two)[0]) };
  for (const [name, peer] of Object.entries(peers)) {
    const times = [];
    for (let i = 0; i < 3 && peer.cold; i++) times.push(...(await peer.cold(network)));
    if (times.length) result[name] = round(sorted(times)[0]);
  }
  return result;
}

function printTable(result) {
  const labels = { ken: "ken", ken_fp32: "ken, fp32", ken_avx2: "ken, AVX2", onnxruntime: "ONNX Runtime", onednn: "oneDNN", xnnpack: "XNNPACK", opencv: "OpenCV DNN" };
  console.log(`\nmilliseconds, the best of ${rounds * runs}; in brackets: times ken's, in the middle of ${rounds} rounds`);
  console.log(["engine".padEnd(14), ...networks.map((n) => n.name.padStart(18)), "cold start".padStart(12)].join(""));
  for (const [key, label] of Object.entries(labels)) {
    if (!(`${key}_ms` in result.networks.fr_feature)) continue;
    const cells = networks.map(({ name }) => {
      const r = result.networks[name], ratio = r[`${key}_ratio`];
      return `${r[`${key}_ms`].toFixed(2)}${ratio ? ` (${ratio.toFixed(2)})` : ""}`.padStart(18);
    });
    console.log([label.padEnd(14), ...cells, String(result.cold_start_ms[key] ?? "").padStart(12)].join(""));
  }
}

const peaks = {};
for (const level of process.arch === "arm64" ? ["neon"] : ["avx2", "avx512"]) {
  const [peak] = engine(["peak", level]);
  if (peak > 0) peaks[level] = peak;
}
const peers = Object.fromEntries(Object.entries({ onnxruntime: onnxRuntime(), onednn: program("peer_onednn"),
  xnnpack: program("peer_xnnpack"), opencv: openCv() }).filter(([name, peer]) => peer || console.log(`${name} is not installed: left out`)));
const result = { peak_gflops: peaks, threads: 1, rounds, runs_a_round: runs, processor: cpus()[0].model, networks: {} };
for (const network of networks) {
  result.networks[network.name] = await compare(network, peers, peaks);
  console.log(network.name, JSON.stringify(result.networks[network.name]));
}
result.cold_start_ms = await coldStarts_(networks[0], peers);
result.scaling = await scaling(networks[0]);
console.log("cold start", JSON.stringify(result.cold_start_ms), "scaling", JSON.stringify(result.scaling), "peak", JSON.stringify(peaks));
printTable(result);
mkdirSync(join(root, "build/bench"), { recursive: true });
writeFileSync(join(root, "build/bench/engine.json"), JSON.stringify(result, null, 1) + "\n");
