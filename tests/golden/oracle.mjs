// What the golden tests share: ONNX Runtime as the oracle, ken's run_model as the subject.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const SKIP = 77;
export const root = process.env.KEN_ROOT ?? new URL("../..", import.meta.url).pathname;

// The levels of this processor's family; a cap above what the machine has does no harm.
export const levels = process.arch === "arm64" ? ["c", "neon"] : ["c", "avx2", "avx512", "vnni"];

export function loadOracle() {
  const require = createRequire(join(root, "package.json"));
  try {
    return require("onnxruntime-node");
  } catch (cause) {
    console.log(`skipped: npm package onnxruntime-node cannot be loaded (${cause.code ?? cause.message})`);
    process.exit(SKIP);
  }
}

export function needPackage(name) {
  const folder = join(root, "node_modules", name);
  if (!existsSync(folder)) {
    console.log(`skipped: npm package ${name} is not installed`);
    process.exit(SKIP);
  }
  return folder;
}

export const folder = mkdtempSync(join(tmpdir(), "ken-golden-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

// The same numbers in every run: xorshift128 seeded by a number.
export function randomSource(seed) {
  let [a, b, c, d] = [seed >>> 0, 0x9e3779b9, 0x243f6a88, 0xb7e15162];
  const next = () => {
    let t = d;
    t ^= t << 11;
    t ^= t >>> 8;
    [d, c, b] = [c, b, a];
    a = (t ^ a ^ (a >>> 19)) >>> 0;
    return a / 2 ** 32;
  };
  for (let i = 0; i < 20; i++) next();
  return next;
}

export function fill(count, value) {
  return Float32Array.from({ length: count }, (_, i) => value(i));
}

export function program(path, args, environment = {}) {
  const result = spawnSync(path, args, { env: { ...process.env, ...environment }, encoding: "utf8" });
  if (result.status !== 0)
    throw new Error(`${path} ${args.join(" ")}: exit ${result.status} ${result.signal ?? ""} ${result.stderr}`);
  return result.stdout;
}

export function importModel(onnxPath, name, options = []) {
  const path = join(folder, `${name}.ken`);
  program(process.env.KEN, ["model", "import", onnxPath, "-o", path, ...options]);
  return path;
}

// Runs ken over the samples; returns for each sample its outputs one after the other, as the oracle's.
export function runKen(modelPath, samples, environment) {
  const input = join(folder, "input.bin"), output = join(folder, "output.bin");
  writeFileSync(input, Buffer.concat(samples.map((s) => Buffer.from(s.buffer, s.byteOffset, s.byteLength))));
  program(process.env.RUN_MODEL, [modelPath, input, output], environment);
  const bytes = readFileSync(output);
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const each = all.length / samples.length;
  return samples.map((_, i) => all.subarray(i * each, (i + 1) * each));
}

export function maxDifference(a, b) {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
  }
  return most;
}

export function unit(vector) {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return vector.map((x) => x / length);
}

export function concatenate(arrays) {
  const out = new Float32Array(arrays.reduce((sum, a) => sum + a.length, 0));
  let at = 0;
  for (const a of arrays) {
    out.set(a, at);
    at += a.length;
  }
  return out;
}
