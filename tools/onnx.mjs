// Writes ONNX files: https://onnx.ai/onnx/repo-docs/IR.html in Protocol Buffers' wire format.
function varint(value) {
  let v = BigInt.asUintN(64, BigInt(value));
  const bytes = [];
  do {
    bytes.push(Number(v & 0x7fn) | (v > 0x7fn ? 0x80 : 0));
    v >>= 7n;
  } while (v);
  return Buffer.from(bytes);
}

const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, data) => Buffer.concat([varint((field << 3) | 2), varint(data.length), Buffer.from(data)]);
const float32 = (field, value) => {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return Buffer.concat([varint((field << 3) | 5), data]);
};

const FLOAT = 1, INT64 = 7;

export function tensor(name, dims, data) {
  const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat([...dims.map((d) => number(1, d)), number(2, data instanceof Float32Array ? FLOAT : INT64),
    bytes(8, name), bytes(9, raw)]);
}

export const floats = (name, dims, data) => tensor(name, dims, Float32Array.from(data));
export const integers = (name, data, dims = [data.length]) => tensor(name, dims, BigInt64Array.from(data, BigInt));

// IEEE 754 binary16 of numbers that it can hold but for rounding (no NaN; what is too small becomes 0).
export function halfBits(x) {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0, size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.min(15, Math.floor(Math.log2(size))), fraction = Math.round((size / 2 ** exponent) * 1024);
  return sign | ((exponent + 15) * 1024 + fraction - 1024);
}

export const HALF = 10, DOUBLE = 11;
export function halves(name, dims, data) {
  const raw = Buffer.from(Uint16Array.from(data, halfBits).buffer);
  return Buffer.concat([...dims.map((d) => number(1, d)), number(2, HALF), bytes(8, name), bytes(9, raw)]);
}
export function doubles(name, dims, data) {
  const raw = Buffer.from(Float64Array.from(data).buffer);
  return Buffer.concat([...dims.map((d) => number(1, d)), number(2, DOUBLE), bytes(8, name), bytes(10, raw)]);
}

// Numbers in a file beside the network: bytes from `offset` on of the file `location`.
export function beside(name, dims, location, offset) {
  const entry = (key, value) => bytes(13, Buffer.concat([bytes(1, key), bytes(2, String(value))]));
  const length = 4 * dims.reduce((a, b) => a * b, 1);
  return Buffer.concat([...dims.map((d) => number(1, d)), number(2, FLOAT), bytes(8, name), entry("location", location), entry("offset", offset),
    entry("length", length), number(14, 1)]);
}

// Attribute types of onnx.proto: FLOAT 1, INT 2, STRING 3, TENSOR 4, FLOATS 6, INTS 7.
function attribute(name, value) {
  const parts = [bytes(1, name)];
  if (Buffer.isBuffer(value)) parts.push(bytes(5, value), number(20, 4));
  else if (Array.isArray(value) && value[0] instanceof Float) parts.push(...value.map((v) => float32(7, v.value)), number(20, 6));
  else if (Array.isArray(value)) parts.push(...value.map((v) => number(8, v)), number(20, 7));
  else if (typeof value === "string") parts.push(bytes(4, value), number(20, 3));
  else if (value instanceof Float) parts.push(float32(2, value.value), number(20, 1));
  else parts.push(number(3, value), number(20, 2));
  return Buffer.concat(parts);
}

class Float {
  constructor(value) {
    this.value = value;
  }
}
export const real = (value) => new Float(value);

export function node(op, inputs, outputs, attributes = {}) {
  return Buffer.concat([...inputs.map((i) => bytes(1, i)), ...outputs.map((o) => bytes(2, o)), bytes(3, `${op}_${outputs[0]}`),
    bytes(4, op), ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value)))]);
}

function edge(name, dims) {
  const shape = dims ? dims.map((d) => bytes(1, typeof d === "string" ? bytes(2, d) : number(1, d))) : [];
  const type = Buffer.concat([number(1, FLOAT), ...(dims ? [bytes(2, Buffer.concat(shape))] : [])]);
  return Buffer.concat([bytes(1, name), bytes(2, bytes(1, type))]);
}

// inputs and outputs: name -> shape (null: not told); a dimension that is a string is left open under that name.
// `defaults`: constants that are inputs too, as older files have them.
export function network({ nodes, constants = [], inputs, outputs, defaults = {}, opset = 13 }) {
  const graph = Buffer.concat([...nodes.map((n) => bytes(1, n)), bytes(2, "test"), ...constants.map((c) => bytes(5, c)),
    ...Object.entries({ ...inputs, ...defaults }).map(([n, d]) => bytes(11, edge(n, d))), ...Object.entries(outputs).map(([n, d]) => bytes(12, edge(n, d)))]);
  return Buffer.concat([number(1, 8), bytes(7, graph), bytes(8, Buffer.concat([bytes(1, ""), number(2, opset)]))]);
}
