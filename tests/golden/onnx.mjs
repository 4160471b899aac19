// Writes small ONNX files: https://onnx.ai/onnx/repo-docs/IR.html in Protocol Buffers' wire format.
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

// Attribute types of onnx.proto: FLOAT 1, INT 2, STRING 3, TENSOR 4, INTS 7.
function attribute(name, value) {
  const parts = [bytes(1, name)];
  if (Buffer.isBuffer(value)) parts.push(bytes(5, value), number(20, 4));
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
  const shape = dims ? dims.map((d) => bytes(1, number(1, d))) : [];
  const type = Buffer.concat([number(1, FLOAT), ...(dims ? [bytes(2, Buffer.concat(shape))] : [])]);
  return Buffer.concat([bytes(1, name), bytes(2, bytes(1, type))]);
}

// inputs and outputs: name -> shape (null: not told).
export function network({ nodes, constants = [], inputs, outputs, opset = 13 }) {
  const graph = Buffer.concat([...nodes.map((n) => bytes(1, n)), bytes(2, "test"), ...constants.map((c) => bytes(5, c)),
    ...Object.entries(inputs).map(([n, d]) => bytes(11, edge(n, d))), ...Object.entries(outputs).map(([n, d]) => bytes(12, edge(n, d)))]);
  return Buffer.concat([number(1, 8), bytes(7, graph), bytes(8, Buffer.concat([bytes(1, ""), number(2, opset)]))]);
}
