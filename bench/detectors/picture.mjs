// Pictures for the detectors: { width, height, data }, RGB bytes; and boxes: { x, y, w, h, score } in pixels.
import { readFileSync } from "node:fs";
import jpeg from "jpeg-js";

export function readPicture(path) {
  const { width, height, data } = jpeg.decode(readFileSync(path), { useTArray: true, formatAsRGBA: false, maxMemoryUsageInMB: 2048 });
  return { width, height, data };
}

// The input pixels that each output pixel covers along one axis, and how much of each.
function footprints(from, to) {
  const scale = from / to, width = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const low = (i + 0.5) * scale - width / 2, taps = [];
    for (let p = Math.floor(low); p < low + width; p++) {
      const part = Math.min(p + 1, low + width) - Math.max(p, low);
      if (part > 0) taps.push([Math.min(Math.max(p, 0), from - 1), part / width]);
    }
    return taps;
  });
}

// Area averaging down, bilinear up: what `ken` does too, so that no detector is fed aliases.
export function resize(picture, width, height) {
  const columns = footprints(picture.width, width), rows = footprints(picture.height, height);
  const out = new Uint8Array(width * height * 3), sums = new Float32Array(picture.width * 3);
  for (let y = 0, at = 0; y < height; y++) {
    sums.fill(0);
    for (const [row, part] of rows[y]) {
      const start = row * picture.width * 3;
      for (let i = 0; i < sums.length; i++) sums[i] += part * picture.data[start + i];
    }
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (const [column, part] of columns[x]) sum += part * sums[3 * column + c];
        out[at++] = sum + 0.5;
      }
    }
  }
  return { width, height, data: out };
}

// Reduced or enlarged so that the longer side is `side`.
export function fit(picture, side) {
  const scale = side / Math.max(picture.width, picture.height);
  const small = resize(picture, Math.max(1, Math.round(picture.width * scale)), Math.max(1, Math.round(picture.height * scale)));
  return { ...small, scale };
}

export function crop(picture, left, top, width, height) {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * picture.width + left) * 3;
    data.set(picture.data.subarray(start, start + width * 3), y * width * 3);
  }
  return { width, height, data };
}

export function overlap(a, b) {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x), h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  return (w * h) / (a.w * a.h + b.w * b.h - w * h);
}

// Non-maximum suppression by intersection over union.
export function suppress(boxes, limit) {
  const kept = [];
  for (const box of [...boxes].sort((a, b) => b.score - a.score))
    if (!kept.some((other) => overlap(box, other) > limit)) kept.push(box);
  return kept;
}
