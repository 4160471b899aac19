// build/bench/engine.json as a chart. usage: node bench/engine_chart.mjs [OUTPUT.svg (build/bench/engine.svg)]
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const output = process.argv[2] ?? join(root, "build/bench/engine.svg");
const result = JSON.parse(readFileSync(join(root, "build/bench/engine.json"), "utf8"));
const engines = [["ken", "ken"], ["onednn", "oneDNN"], ["xnnpack", "XNNPACK"], ["onnxruntime", "ONNX Runtime"], ["opencv", "OpenCV DNN"]];
const width = 760, left = 130, right = 90, bar = 16, gap = 6, head = 34;

const panels = [
  ...Object.entries(result.networks).map(([name, times]) => ({
    title: `${name}, one run (${Math.round(times.multiply_adds / 1e6)} million multiply-adds), ms`,
    rows: engines.map(([key, label]) => ({ key, label, value: times[`${key}_ms`] })),
  })),
  { title: "from nothing to the first embedding (fr_feature), ms",
    rows: engines.map(([key, label]) => ({ key, label: key === "onnxruntime" ? "ONNX Runtime*" : label, value: result.cold_start_ms[key] })) },
].map((panel) => ({ ...panel, rows: panel.rows.filter((row) => row.value !== undefined) }));

function drawPanel({ title, rows }, top) {
  const most = Math.max(...rows.map((row) => row.value)), scale = (width - left - right) / most;
  const lines = rows.map(({ key, label, value }, i) => {
    const y = top + head + i * (bar + gap);
    return `<text x="${left - 8}" y="${y + 12}" text-anchor="end">${label}</text>` +
      `<rect class="${key === "ken" ? "ken" : "peer"}" x="${left}" y="${y}" width="${Math.max(1, value * scale).toFixed(1)}" height="${bar}" rx="2"/>` +
      `<text x="${(left + value * scale + 6).toFixed(1)}" y="${y + 12}">${value < 1 ? value.toFixed(2) : value.toFixed(1)}</text>`;
  });
  return [`<text class="title" x="${left}" y="${top + 22}">${title}</text>`, ...lines].join("\n");
}

let top = 0;
const parts = panels.map((panel) => {
  const drawn = drawPanel(panel, top);
  top += head + panel.rows.length * (bar + gap) + 8;
  return drawn;
});
const note = `${result.processor}, one thread, the best of ${result.rounds * result.runs_a_round} runs in turns. * without the start of its process`;
writeFileSync(output, `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top + 26}" viewBox="0 0 ${width} ${top + 26}" role="img" aria-label="ken's engine and others, in milliseconds">
<style>
  svg { background: #fff; font: 12px system-ui, sans-serif }
  text { fill: #333 } .title { font-weight: 600 } .note { font-size: 10px; fill: #666 }
  .ken { fill: #0b7a75 } .peer { fill: #b8c4c4 }
</style>
${parts.join("\n")}
<text class="note" x="${left}" y="${top + 14}">${note}</text>
</svg>
`);
