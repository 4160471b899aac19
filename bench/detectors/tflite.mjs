// The constants of a TensorFlow Lite file by name: { shape, data }. Only what MTCNN's files need of the FlatBuffers form
// (tensorflow/lite/schema/schema.fbs): Model.subgraphs = field 2, .buffers = 4; SubGraph.tensors = 0;
// Tensor.shape, .type, .buffer, .name = 0 to 3; Buffer.data = 0; type 0 is float32.
import { readFileSync } from "node:fs";

export function readConstants(path) {
  const bytes = readFileSync(path);
  const follow = (at) => at + bytes.readUInt32LE(at);
  const field = (table, index) => {
    const names = table - bytes.readInt32LE(table), at = 4 + 2 * index;
    const offset = at < bytes.readUInt16LE(names) ? bytes.readUInt16LE(names + at) : 0;
    return offset ? table + offset : 0;
  };
  const vector = (table, index) => {
    const at = field(table, index);
    return at ? { start: follow(at) + 4, length: bytes.readUInt32LE(follow(at)) } : { start: 0, length: 0 };
  };
  const tables = (table, index) => {
    const { start, length } = vector(table, index);
    return Array.from({ length }, (_, i) => follow(start + 4 * i));
  };
  const model = follow(0), buffers = tables(model, 4), constants = {};
  for (const tensor of tables(tables(model, 2)[0], 0)) {
    const type = field(tensor, 1), buffer = field(tensor, 2), name = vector(tensor, 3), shape = vector(tensor, 0);
    const data = buffer ? vector(buffers[bytes.readUInt32LE(buffer)], 0) : { length: 0 };
    if (!data.length || (type && bytes.readInt8(type) !== 0)) continue;
    constants[bytes.toString("utf8", name.start, name.start + name.length)] = {
      shape: Array.from({ length: shape.length }, (_, i) => bytes.readInt32LE(shape.start + 4 * i)),
      data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + data.start, bytes.byteOffset + data.start + data.length)),
    };
  }
  return constants;
}
