// Small networks, one for each operator and each way of putting them together, against ONNX Runtime at every SIMD
// level: fusing, layouts, padding, groups, concatenation in place, shape arithmetic.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beside, doubles, floats, halves, integers, network, node, real } from "../../tools/onnx.mjs";
import * as golden from "./oracle.mjs";

const LIMIT = 1e-4;
const ort = golden.loadOracle();
const random = golden.randomSource(11);
const noise = (count, scale = 1) => golden.fill(count, () => (random() * 2 - 1) * scale);
const product = (dims) => dims.reduce((a, b) => a * b, 1);
const weights = (name, dims) => floats(name, dims, noise(product(dims), 1 / Math.sqrt(product(dims.slice(1)) || 1)));
const positive = (name, dims) => floats(name, dims, golden.fill(product(dims), () => random() + 0.5));

const cases = [];
// One input "x", one output "y" unless said.
function test(name, shape, nodes, constants = [], more = {}) {
  cases.push({ name, inputs: { x: shape }, outputs: { y: null }, nodes, constants, ...more });
}

function conv(name, [c, h, w], out, attributes, more = []) {
  const { group = 1, kernel_shape: [kh, kw] } = attributes;
  test(name, [1, c, h, w], [node("Conv", ["x", "w", "b"], [more.length ? "c" : "y"], attributes), ...more],
    [weights("w", [out, c / group, kh, kw]), weights("b", [out]), positive("s", [out, 1, 1]), positive("one", [1])]);
}

conv("conv 1x1", [24, 9, 7], 40, { kernel_shape: [1, 1] });
conv("conv 1x1 stride 2", [24, 9, 7], 17, { kernel_shape: [1, 1], strides: [2, 2] });
conv("conv 3x3 padded", [5, 11, 13], 33, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
conv("conv 3x3 uneven pads and strides", [3, 14, 9], 16, { kernel_shape: [3, 3], pads: [0, 1, 2, 3], strides: [2, 3] });
conv("conv 5x3", [8, 12, 12], 8, { kernel_shape: [5, 3], pads: [2, 1, 2, 1] });
conv("conv dilated", [16, 20, 20], 16, { kernel_shape: [3, 3], dilations: [3, 5], pads: [3, 5, 3, 5] });
conv("conv same upper", [4, 15, 16], 12, { kernel_shape: [3, 3], strides: [2, 2], auto_pad: "SAME_UPPER" });
conv("conv same lower", [4, 15, 16], 12, { kernel_shape: [4, 4], strides: [2, 2], auto_pad: "SAME_LOWER" });
conv("conv valid", [4, 15, 16], 12, { kernel_shape: [3, 3], auto_pad: "VALID" });
conv("conv one channel", [1, 16, 16], 8, { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] });
conv("conv in 4 groups", [12, 10, 10], 20, { kernel_shape: [3, 3], group: 4, pads: [1, 1, 1, 1] });
conv("conv depthwise twofold", [6, 10, 10], 12, { kernel_shape: [3, 3], group: 6 });
conv("depthwise 3x3", [37, 13, 10], 37, { kernel_shape: [3, 3], group: 37, pads: [1, 1, 1, 1] });
conv("depthwise stride 2", [32, 13, 10], 32, { kernel_shape: [3, 3], group: 32, pads: [1, 1, 1, 1], strides: [2, 2] });
conv("depthwise whole", [20, 7, 7], 20, { kernel_shape: [7, 7], group: 20 });
conv("depthwise dilated", [20, 12, 12], 20, { kernel_shape: [3, 3], group: 20, dilations: [2, 2], pads: [2, 2, 2, 2] });
const plain = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
conv("conv relu", [8, 8, 8], 24, plain, [node("Relu", ["c"], ["y"])]);
conv("conv prelu", [8, 8, 8], 24, plain, [node("PRelu", ["c", "s"], ["y"])]);
conv("conv prelu of one slope", [8, 8, 8], 24, plain, [node("PRelu", ["c", "one"], ["y"])]);
conv("conv leaky relu", [8, 8, 8], 24, plain, [node("LeakyRelu", ["c"], ["y"], { alpha: real(0.2) })]);
conv("conv clip", [8, 8, 8], 24, plain, [node("Clip", ["c", "lo", "hi"], ["y"])]);
cases.at(-1).constants.push(floats("lo", [], [-0.2]), floats("hi", [], [0.3]));
conv("conv mul add", [8, 8, 8], 24, plain, [node("Mul", ["s", "c"], ["m"]), node("Add", ["m", "one"], ["y"])]);
conv("conv sub from constant", [8, 8, 8], 24, plain, [node("Sub", ["s", "c"], ["y"])]);
conv("conv sub constant, divided", [8, 8, 8], 24, plain, [node("Sub", ["c", "s"], ["d"]), node("Div", ["d", "s"], ["y"])]);
conv("residual, then relu", [24, 8, 8], 24, plain, [node("Add", ["x", "c"], ["a"]), node("Relu", ["a"], ["y"])]);
conv("relu, then addition (no residual)", [24, 8, 8], 24, plain, [node("Relu", ["c"], ["r"]), node("Add", ["r", "x"], ["y"])]);
conv("value used twice is not fused over", [24, 8, 8], 24, plain, [node("Relu", ["c"], ["r"]), node("Add", ["c", "r"], ["y"])]);
conv("added to itself", [24, 8, 8], 24, plain, [node("Add", ["c", "c"], ["y"])]);
conv("depthwise with residual and prelu", [24, 8, 8], 24, { ...plain, group: 24 },
  [node("Add", ["c", "x"], ["a"]), node("PRelu", ["a", "s"], ["y"])]);
conv("groups with residual and prelu", [24, 8, 8], 24, { ...plain, group: 3 },
  [node("Add", ["c", "x"], ["a"]), node("PRelu", ["a", "s"], ["y"])]);

const batch = (n) => [positive("g", [n]), weights("h", [n]), weights("m", [n]), positive("v", [n])];
test("conv batch norm relu", [1, 6, 9, 9], [node("Conv", ["x", "w"], ["c"], plain),
  node("BatchNormalization", ["c", "g", "h", "m", "v"], ["n"], { epsilon: real(0.001) }), node("Relu", ["n"], ["y"])],
  [weights("w", [18, 6, 3, 3]), ...batch(18)]);
test("batch norm alone", [1, 6, 9, 5], [node("BatchNormalization", ["x", "g", "h", "m", "v"], ["y"])], batch(6));
test("gemm batch norm", [1, 20], [node("Gemm", ["x", "w", "b"], ["f"], { transB: 1, alpha: real(0.5), beta: real(2) }),
  node("BatchNormalization", ["f", "g", "h", "m", "v"], ["y"])], [weights("w", [33, 20]), weights("b", [33]), ...batch(33)]);
test("gemm of several rows", [5, 20], [node("Gemm", ["x", "w", "b"], ["f"]), node("Relu", ["f"], ["y"])],
  [weights("w", [20, 7]), weights("b", [1, 7])]);
test("matmul", [3, 20], [node("MatMul", ["x", "w"], ["f"]), node("Add", ["f", "b"], ["y"])], [weights("w", [20, 31]), weights("b", [31])]);
test("picture flattened in ONNX's order, then gemm", [1, 6, 3, 4], [node("Flatten", ["x"], ["f"]),
  node("Gemm", ["f", "w"], ["y"])], [weights("w", [72, 9])]);
test("pool, then squeeze", [1, 10, 5, 6], [node("GlobalAveragePool", ["x"], ["p"]), node("Squeeze", ["p", "a"], ["q"]),
  node("Gemm", ["q", "w"], ["y"])], [integers("a", [2, 3]), weights("w", [10, 4])]);
test("reduce mean", [1, 10, 5, 6], [node("ReduceMean", ["x"], ["y"], { axes: [2, 3], keepdims: 0 })]);
test("global max pool", [1, 10, 5, 6], [node("GlobalMaxPool", ["x"], ["y"])]);
test("max pool", [1, 7, 11, 12], [node("MaxPool", ["x"], ["y"], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] })]);
test("max pool ceil", [1, 7, 12, 12], [node("MaxPool", ["x"], ["y"], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 })]);
test("average pool", [1, 7, 11, 12], [node("AveragePool", ["x"], ["y"], { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 1, 1, 0] })]);
test("average pool with pads", [1, 7, 11, 12], [node("AveragePool", ["x"], ["y"], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 })]);

const head = (out, n) => node("Conv", ["x", "w" + n], [out], { kernel_shape: [1, 1] });
const head3 = (out, n) => node("Conv", ["x", "v" + n], [out], plain);
const two = [weights("w1", [16, 8, 1, 1]), weights("w2", [5, 8, 1, 1]), weights("v1", [16, 8, 3, 3]), weights("v2", [5, 8, 3, 3])];
test("channels joined in place", [1, 8, 6, 5], [head("a", 1), head3("b", 2), node("Concat", ["a", "b"], ["y"], { axis: 1 })], two);
test("joined parts that are used again", [1, 8, 6, 5], [head("a", 1), head("b", 2), node("Relu", ["a"], ["r"]),
  node("Concat", ["a", "b", "r", "a", "x"], ["j"], { axis: 1 }), node("Conv", ["j", "k"], ["y"], { kernel_shape: [3, 3] })],
  [...two, weights("k", [9, 61, 3, 3])]);
test("joined, and joined again", [1, 8, 6, 5], [head("a", 1), head("b", 2), node("Concat", ["b", "a"], ["j"], { axis: 1 }),
  node("Concat", ["j", "x"], ["y"], { axis: 1 })], two);
test("rows joined", [1, 8, 6, 5], [head("a", 1), head3("b", 1), node("Concat", ["a", "b"], ["y"], { axis: 2 })], two);
test("columns joined", [1, 8, 6, 5], [head("a", 1), head3("b", 1), node("Concat", ["a", "b"], ["y"], { axis: -1 })], two);
test("joined with a constant", [1, 8, 2, 2], [node("Concat", ["x", "k"], ["y"], { axis: 1 })], [weights("k", [1, 3, 2, 2])]);
test("detector head: transpose, reshape by shape arithmetic, join", [1, 8, 6, 5], [
  ...["a", "b"].flatMap((v, i) => [head(v, i + 1), node("Transpose", [v], [v + "t"], { perm: [0, 2, 3, 1] }),
    node("Shape", [v + "t"], [v + "s"]), node("Gather", [v + "s", "zero"], [v + "g"], { axis: 0 }),
    node("Unsqueeze", [v + "g", "first"], [v + "u"]), node("Concat", [v + "u", "rest"], [v + "n"], { axis: 0 }),
    node("Reshape", [v + "t", v + "n"], [v + "r"])]),
  node("Concat", ["ar", "br"], ["j"], { axis: 1 }), node("Softmax", ["j"], ["y"], { axis: 2 })],
  [weights("w1", [6, 8, 1, 1]), weights("w2", [4, 8, 1, 1]), integers("zero", [0], []), integers("first", [0]), integers("rest", [-1, 2])]);
test("slices", [1, 30, 4], [node("Slice", ["x", "b0", "e2", "ax2"], ["l"]), node("Slice", ["x", "b2", "eall", "ax2"], ["h"]),
  node("Exp", ["h"], ["e"]), node("Mul", ["e", "l"], ["m"]), node("Concat", ["m", "h"], ["y"], { axis: 2 })],
  [integers("b0", [0]), integers("e2", [2]), integers("b2", [2]), integers("eall", ["9223372036854775807"]), integers("ax2", [2])]);
test("slice with a step", [1, 9, 7], [node("Slice", ["x", "b", "e", "a", "s"], ["y"])],
  [integers("b", [1, -6]), integers("e", [9, 7]), integers("a", [1, 2]), integers("s", [3, 2])]);
test("split", [1, 10, 4, 4], [node("Split", ["x", "parts"], ["a", "b", "c"], { axis: 1 }), node("Add", ["a", "c"], ["d"]),
  node("Concat", ["d", "b"], ["y"], { axis: 1 })], [integers("parts", [3, 4, 3])]);
test("channel shuffle", [1, 12, 5, 4], [node("Reshape", ["x", "s5"], ["a"]), node("Transpose", ["a"], ["b"], { perm: [0, 2, 1, 3, 4] }),
  node("Reshape", ["b", "s4"], ["c"]), node("Conv", ["c", "w"], ["y"], { kernel_shape: [1, 1] })],
  [integers("s5", [1, 3, 4, 5, 4]), integers("s4", [1, 12, 5, 4]), weights("w", [8, 12, 1, 1])]);
test("squeeze and excite", [1, 8, 6, 5], [head("a", 1), node("GlobalAveragePool", ["a"], ["p"]), node("Conv", ["p", "d"], ["q"], { kernel_shape: [1, 1] }),
  node("Relu", ["q"], ["r"]), node("Conv", ["r", "u"], ["e"], { kernel_shape: [1, 1] }), node("Sigmoid", ["e"], ["g"]),
  node("Mul", ["a", "g"], ["y"])], [...two, weights("d", [4, 16, 1, 1]), weights("u", [16, 4, 1, 1])]);
for (const op of ["Relu", "Exp", "Sigmoid", "Tanh", "Neg"]) test(op, [1, 5, 4, 3], [node(op, ["x"], ["y"])]);
test("sqrt and log", [2, 9], [node("Mul", ["x", "x"], ["a"]), node("Add", ["a", "one"], ["b"]), node("Sqrt", ["b"], ["c"]), node("Log", ["c"], ["y"])],
  [floats("one", [], [1])]);
for (const op of ["Add", "Sub", "Mul", "Div", "Min", "Max"])
  test(`${op} broadcast`, [1, 5, 4, 3], [node(op, ["x", "k"], ["a"]), node(op, ["row", "a"], ["y"])], [positive("k", [5, 1, 1]), positive("row", [3])]);
test("addition of differently laid out values", [1, 4, 4, 4], [node("Transpose", ["x"], ["t"], { perm: [0, 3, 1, 2] }), node("Add", ["t", "x"], ["y"])]);
test("softmax over channels", [1, 5, 4, 3], [node("Softmax", ["x"], ["y"], { axis: 1 })]);
test("softmax of opset 9", [1, 7], [node("Softmax", ["x"], ["y"])], [], { opset: 9 });
test("two inputs, two outputs", null, [node("Add", ["x", "z"], ["y"]), node("Mul", ["x", "z"], ["u"])], [],
  { inputs: { x: [1, 3, 4, 4], z: [1, 3, 4, 4] }, outputs: { y: null, u: null } });
test("an output that is used too", [1, 8, 6, 5], [head("y", 1), node("Relu", ["y"], ["u"])], two, { outputs: { y: null, u: null } });
test("input straight to output", [1, 3, 4, 4], [node("Identity", ["x"], ["y"])]);
test("transposed output", [1, 3, 4, 5], [node("Transpose", ["x"], ["y"], { perm: [0, 3, 1, 2] })]);
test("cast, constant of shape, arithmetic of constants", [1, 12], [node("ConstantOfShape", ["dims"], ["o"], { value: floats("v", [1], [2]) }),
  node("Cast", ["ints"], ["f"], { to: 1 }), node("Mul", ["f", "o"], ["m"]), node("Add", ["x", "m"], ["y"])],
  [integers("dims", [1, 12]), integers("ints", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [1, 12])]);

// ---- Pad ----
const pads = (list) => integers("p", list);
const padded = (name, list, mode, more = []) => test(name, [1, 5, 6, 7], [node("Pad", ["x", "p", ...more], ["y"], { mode })], [pads(list), floats("v", [], [1.5])]);
padded("pad", [0, 0, 1, 2, 0, 0, 3, 0], "constant");
padded("pad of a number, channels too", [0, 2, 1, 2, 0, 1, 3, 0], "constant", ["v"]);
padded("pad by the edge", [0, 1, 1, 2, 0, 0, 3, 2], "edge");
padded("pad by reflection", [0, 1, 1, 2, 0, 2, 3, 4], "reflect");
test("pad of some axes (opset 18)", [1, 5, 6, 7], [node("Pad", ["x", "p", "", "a"], ["y"])], [integers("p", [2, 1]), integers("a", [-2])], { opset: 18 });
test("pad by attributes (opset 10)", [1, 5, 6, 7], [node("Pad", ["x"], ["y"], { pads: [0, 0, 1, 2, 0, 0, 0, 1], mode: "constant", value: real(-2) })], [], { opset: 10 });
test("pad into a convolution", [1, 5, 6, 7], [node("Pad", ["x", "p"], ["q"]), node("Conv", ["q", "w"], ["y"], { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 1, 1, 0] })],
  [pads([0, 0, 1, 2, 0, 0, 0, 1]), weights("w", [8, 5, 3, 3])]);
test("pad of 1 before a convolution", [1, 5, 6, 7], [node("Pad", ["x", "p", "v"], ["q"]), node("Conv", ["q", "w"], ["y"], { kernel_shape: [3, 3] })],
  [pads([0, 0, 1, 1, 0, 0, 1, 1]), floats("v", [], [1]), weights("w", [8, 5, 3, 3])]);
test("pad that a convolution and another use", [1, 5, 6, 7], [node("Pad", ["x", "p"], ["q"]), node("Conv", ["q", "w"], ["c"], { kernel_shape: [1, 1] }),
  node("Add", ["c", "q"], ["y"])], [pads([0, 0, 1, 1, 0, 0, 1, 1]), weights("w", [5, 5, 1, 1])]);

// ---- Resize ----
const resize = (name, attributes, scales, more = {}) => test(`resize ${name}`, [1, 5, 6, 7],
  [node("Resize", ["x", "", "s"], ["y"], attributes)], [floats("s", [4], [1, 1, ...scales])], more);
resize("to twice", { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }, [2, 2]);
for (const nearest_mode of ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
  for (const coordinate_transformation_mode of ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"])
    resize(`nearest ${nearest_mode} ${coordinate_transformation_mode}`, { mode: "nearest", nearest_mode, coordinate_transformation_mode }, [1.7, 0.6]);
for (const coordinate_transformation_mode of ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"])
  for (const scales of [[2, 2], [0.5, 1.6]])
    resize(`linear ${coordinate_transformation_mode} ${scales}`, { mode: "linear", coordinate_transformation_mode }, scales);
test("resize to sizes of shape arithmetic, as a feature pyramid does", [1, 6, 5, 9], [node("Conv", ["x", "w"], ["a"], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  node("Shape", ["x"], ["s"]), node("Slice", ["s", "two", "four", "zero"], ["hw"]), node("Shape", ["a"], ["t"]), node("Slice", ["t", "zero", "two", "zero"], ["nc"]),
  node("Concat", ["nc", "hw"], ["size"], { axis: 0 }), node("Resize", ["a", "", "", "size"], ["u"], { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }),
  node("Add", ["u", "x"], ["y"])], [weights("w", [6, 6, 3, 3]), integers("zero", [0]), integers("two", [2]), integers("four", [4])]);
test("resize of opset 10", [1, 5, 6, 7], [node("Resize", ["x", "s"], ["y"], { mode: "nearest" })], [floats("s", [4], [1, 1, 2, 3])], { opset: 10 });
test("upsample of opset 9", [1, 5, 6, 7], [node("Upsample", ["x", "s"], ["y"], { mode: "nearest" })], [floats("s", [4], [1, 1, 2, 2])], { opset: 9 });

// ---- Reductions and normalisations ----
for (const [op, axes, keepdims] of [["ReduceMean", [1], 1], ["ReduceMean", [-1], 0], ["ReduceMean", [2, 3], 1], ["ReduceMean", [1, 3], 0], ["ReduceMax", [1], 0],
  ["ReduceMin", [2], 1], ["ReduceL2", [1], 1], ["ReduceSumSquare", [2, 3], 0]])
  test(`${op} over ${axes}, keepdims ${keepdims}`, [1, 5, 6, 7], [node(op, ["x"], ["y"], { axes, keepdims })]);
test("ReduceSum over axes of an input", [1, 5, 6, 7], [node("ReduceSum", ["x", "a"], ["y"])], [integers("a", [1])]);
test("ReduceMean over all", [3, 4, 5], [node("ReduceMean", ["x"], ["y"])]);
test("instance normalisation", [1, 6, 7, 5], [node("InstanceNormalization", ["x", "g", "h"], ["y"], { epsilon: real(0.01) })], [positive("g", [6]), weights("h", [6])]);
test("group normalisation as PyTorch exports it", [1, 8, 6, 5], [node("Conv", ["x", "w"], ["c"], plain), node("Reshape", ["c", "s"], ["r"]),
  node("InstanceNormalization", ["r", "one", "nil"], ["i"]), node("Shape", ["c"], ["t"]), node("Reshape", ["i", "t"], ["b"]), node("Mul", ["b", "g"], ["m"]),
  node("Add", ["m", "h"], ["y"])], [weights("w", [16, 8, 3, 3]), integers("s", [0, 4, -1]), floats("one", [4], [1, 1, 1, 1]), floats("nil", [4], [0, 0, 0, 0]),
  positive("g", [16, 1, 1]), weights("h", [16, 1, 1])]);
test("layer normalisation", [1, 9, 24], [node("LayerNormalization", ["x", "g", "h"], ["y"])], [positive("g", [24]), weights("h", [24])], { opset: 17 });
test("layer normalisation from axis 1, without bias", [2, 3, 8], [node("LayerNormalization", ["x", "g"], ["y"], { axis: 1 })], [positive("g", [3, 8])], { opset: 17 });
test("layer normalisation in parts", [1, 9, 24], [node("ReduceMean", ["x"], ["m"], { axes: [-1] }), node("Sub", ["x", "m"], ["d"]), node("Pow", ["d", "two"], ["q"]),
  node("ReduceMean", ["q"], ["v"], { axes: [-1] }), node("Add", ["v", "e"], ["ve"]), node("Sqrt", ["ve"], ["s"]), node("Div", ["d", "s"], ["n"]), node("Mul", ["n", "g"], ["y"])],
  [floats("two", [], [2]), floats("e", [], [1e-5]), positive("g", [24])]);

// ---- More functions ----
for (const op of ["Erf", "Softplus", "Abs", "Elu", "HardSigmoid"]) test(op, [1, 5, 4, 3], [node(op, ["x"], ["y"])]);
for (const op of ["HardSwish"]) test(op, [1, 5, 4, 3], [node("Mul", ["x", "k"], ["a"]), node(op, ["a"], ["y"])], [floats("k", [], [5])], { opset: 14 });
test("Mish", [1, 5, 4, 3], [node("Mish", ["x"], ["y"])], [], { opset: 18 });
for (const approximate of ["none", "tanh"]) test(`Gelu ${approximate}`, [1, 5, 4, 3], [node("Gelu", ["x"], ["y"], { approximate })], [], { opset: 20 });
test("Gelu in parts", [1, 6, 8], [node("Div", ["x", "r"], ["a"]), node("Erf", ["a"], ["b"]), node("Add", ["b", "one"], ["c"]), node("Mul", ["x", "c"], ["d"]), node("Mul", ["d", "h"], ["y"])],
  [floats("r", [], [Math.SQRT2]), floats("one", [], [1]), floats("h", [], [0.5])]);
test("HardSigmoid with numbers", [1, 5, 4, 3], [node("HardSigmoid", ["x"], ["y"], { alpha: real(1 / 6), beta: real(0.4) })]);
for (const power of [2, 0.5, 3, -1]) test(`Pow ${power}`, [2, 9], [node("Abs", ["x"], ["a"]), node("Add", ["a", "h"], ["b"]), node("Pow", ["b", "k"], ["y"])],
  [floats("h", [], [0.5]), floats("k", [], [power])]);
test("Pow of a row", [2, 3], [node("Abs", ["x"], ["a"]), node("Pow", ["a", "k"], ["y"])], [floats("k", [3], [1, 2.5, 0.3])]);
test("Reciprocal", [2, 9], [node("Abs", ["x"], ["a"]), node("Add", ["a", "h"], ["b"]), node("Reciprocal", ["b"], ["y"])], [floats("h", [], [0.5])]);
test("Sum of three", [1, 5, 4, 3], [node("Sum", ["x", "k", "x"], ["y"])], [positive("k", [5, 1, 1])]);
test("Max of three", [1, 5, 4, 3], [node("Neg", ["x"], ["n"]), node("Max", ["x", "k", "n"], ["y"])], [positive("k", [5, 1, 1])]);
conv("conv relu6", [8, 8, 8], 24, plain, [node("Clip", ["c", "lo", "hi"], ["y"])]);
cases.at(-1).constants.push(floats("lo", [], [0]), floats("hi", [], [6]));
conv("conv sum as residual", [24, 8, 8], 24, plain, [node("Sum", ["c", "x"], ["y"])]);
test("expand", [1, 1, 4, 3], [node("Expand", ["x", "s"], ["e"]), node("Mul", ["e", "k"], ["y"])], [integers("s", [1, 5, 1, 1]), positive("k", [5, 1, 1])]);

// ---- Products of two values ----
test("matmul of three dimensions by a matrix", [1, 7, 20], [node("MatMul", ["x", "w"], ["f"]), node("Add", ["f", "b"], ["g"]), node("Relu", ["g"], ["y"])], [weights("w", [20, 31]), weights("b", [31])]);
test("matmul of pixels by a matrix", [1, 8, 5, 6], [node("Transpose", ["x"], ["t"], { perm: [0, 2, 3, 1] }), node("MatMul", ["t", "w"], ["f"]), node("Transpose", ["f"], ["y"], { perm: [0, 3, 1, 2] })], [weights("w", [8, 12])]);
test("attention over channels", [1, 12, 5, 4], [node("Reshape", ["x", "s"], ["r"]), node("Transpose", ["r"], ["k"], { perm: [0, 1, 3, 2] }), node("MatMul", ["r", "k"], ["a"]),
  node("Mul", ["a", "scale"], ["m"]), node("Softmax", ["m"], ["p"], { axis: -1 }), node("MatMul", ["p", "r"], ["o"]), node("Reshape", ["o", "t"], ["y"])],
  [integers("s", [1, 3, 4, 20]), floats("scale", [], [0.3]), integers("t", [1, 12, 5, 4])]);
test("matmul, batches spread", [2, 3, 4], [node("MatMul", ["x", "w"], ["m"]), node("Reshape", ["m", "s"], ["y"])], [weights("w", [5, 2, 4, 6]), integers("s", [30, 6])]);
test("matmul by a constant on the left", [4, 5], [node("MatMul", ["w", "x"], ["y"])], [weights("w", [3, 4])]);
test("gemm of two values", null, [node("Gemm", ["x", "z", "c"], ["y"], { transA: 1, transB: 1, alpha: real(0.5), beta: real(2) })], [weights("c", [6])], { inputs: { x: [4, 3], z: [6, 4] } });
test("gemm with a bias of rows", [3, 4], [node("Gemm", ["x", "w", "c"], ["y"])], [weights("w", [4, 5]), weights("c", [3, 5])]);
for (const [name, group, dims] of [["", 1, [6, 4, 3, 3]], [" in groups", 2, [6, 2, 3, 3]], [" depthwise", 4, [4, 1, 3, 3]]])
  test(`convolution with weights of the run${name}`, null, [node("Reshape", ["z", "s"], ["w"]), node("Conv", ["x", "w", "b"], ["y"], { ...plain, group, strides: [2, 1], dilations: [1, 2] })],
    [weights("b", [dims[0]]), integers("s", dims)], { inputs: { x: [1, 4, 7, 8], z: [product(dims)] } });

// ---- Constants ----
test("weights made of constants", [1, 4, 6, 6], [node("ReduceMean", ["w"], ["m"], { axes: [1, 2, 3] }), node("Sub", ["w", "m"], ["d"]), node("Mul", ["d", "d"], ["q"]),
  node("ReduceMean", ["q"], ["v"], { axes: [1, 2, 3] }), node("Sqrt", ["v"], ["s"]), node("Div", ["d", "s"], ["n"]), node("Conv", ["x", "n"], ["y"], plain)], [weights("w", [8, 4, 3, 3])]);
test("weights turned", [1, 4, 6, 6], [node("Transpose", ["w"], ["t"], { perm: [3, 2, 0, 1] }), node("Conv", ["x", "t"], ["y"], plain)], [weights("w", [3, 3, 4, 8])]);
test("weights split", [1, 4], [node("Split", ["w"], ["a", "b"], { axis: 1 }), node("MatMul", ["x", "a"], ["c"]), node("MatMul", ["x", "b"], ["d"]), node("Mul", ["c", "d"], ["y"])], [weights("w", [4, 10])]);
test("weights of float16", [1, 4, 6, 6], [node("Cast", ["w"], ["f"], { to: 1 }), node("Conv", ["x", "f"], ["y"], plain)], [halves("w", [8, 4, 3, 3], noise(288, 0.2))]);
test("numbers of float64", [1, 4], [node("Cast", ["k"], ["f"], { to: 1 }), node("Mul", ["x", "f"], ["y"])], [doubles("k", [4], [1.25, -3, 1e-3, 7])]);
test("constants of the short forms", [2, 3], [node("Constant", [], ["k"], { value_float: real(1.5) }), node("Constant", [], ["s"], { value_ints: [3, 2] }),
  node("Mul", ["x", "k"], ["m"]), node("Reshape", ["m", "s"], ["y"])]);
test("a part of the shape (opset 15)", [1, 6, 4, 5], [node("Shape", ["x"], ["s"], { start: 0, end: 2 }), node("Concat", ["s", "rest"], ["n"], { axis: 0 }), node("Reshape", ["x", "n"], ["y"])],
  [integers("rest", [-1])], { opset: 15 });
for (const [name, indices] of [["a slice", integers("i", [-2], [])], ["a row of one", integers("i", [3])], ["every second", integers("i", [0, 2, 4])],
  ["turned round", integers("i", [4, 0, 3, 3])], ["one thrice", integers("i", [1, 1, 1])]])
  for (const axis of [1, 2]) test(`gather ${name} along ${axis}`, [1, 5, 6, 7], [node("Gather", ["x", "i"], ["y"], { axis })], [indices]);
test("average pool ceil", [1, 7, 11, 12], [node("AveragePool", ["x"], ["y"], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 })]);

// ---- what exporters leave ----
test("sizes through floating point and Floor", [1, 4, 5, 6], [node("Shape", ["x"], ["s"]), node("Slice", ["s", "two", "four"], ["hw"]), node("Cast", ["hw"], ["f"], { to: 1 }),
  node("Mul", ["f", "by"], ["m"]), node("Floor", ["m"], ["l"]), node("Cast", ["l"], ["size"], { to: 7 }), node("Slice", ["s", "zero", "two"], ["nc"]),
  node("Concat", ["nc", "size"], ["all"], { axis: 0 }), node("Resize", ["x", "", "", "all"], ["y"], { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" })],
  [integers("zero", [0]), integers("two", [2]), integers("four", [4]), floats("by", [], [1.7])]);
test("ceil of a constant", [1, 3], [node("Ceil", ["k"], ["c"]), node("Mul", ["x", "c"], ["y"])], [floats("k", [3], [0.2, -1.7, 2])]);
test("expand to a shape with -1 for what stays", [1, 4, 1, 1], [node("ConstantOfShape", ["rank"], ["ones"], { value: integers("v", [1]) }), node("Mul", ["ones", "minus"], ["m"]),
  node("Equal", ["wanted", "m"], ["e"]), node("Where", ["e", "ones", "wanted"], ["shape"]), node("Expand", ["x", "shape"], ["y"])],
  [integers("rank", [4]), integers("minus", [-1], []), integers("wanted", [-1, -1, 3, 2])]);
test("upsample with scales as an attribute (opset 7)", [1, 3, 4, 5], [node("Upsample", ["x"], ["y"], { mode: "nearest", scales: [1, 1, 2, 3].map(real) })], [], { opset: 7 });
test("constant as a list of numbers", [1, 3], [node("Constant", [], ["k"], { value_floats: [1, -2, 0.5].map(real) }), node("Mul", ["x", "k"], ["y"])]);
test("batch norm of a row of channels", [1, 6, 3], [node("BatchNormalization", ["x", "g", "h", "m", "v"], ["y"])], batch(6));
test("lp normalization", [2, 16], [node("LpNormalization", ["x"], ["y"], { axis: 1, p: 2 })]);
test("channels turned round by a slice", [1, 3, 5, 4], [node("Slice", ["x", "from", "to", "axis", "step"], ["f"]), node("Conv", ["f", "w"], ["y"], plain)],
  [integers("from", [-1]), integers("to", ["-9223372036854775808"]), integers("axis", [1]), integers("step", [-1]), weights("w", [5, 3, 3, 3])]);
test("every second column, backwards", [1, 3, 5, 8], [node("Slice", ["x", "from", "to", "axis", "step"], ["y"])],
  [integers("from", [6]), integers("to", [0]), integers("axis", [3]), integers("step", [-2])]);
test("a constant backwards", [1, 4], [node("Slice", ["k", "from", "to", "axis", "step"], ["b"]), node("Add", ["x", "b"], ["y"])],
  [floats("k", [4], [1, 2, 3, 4]), integers("from", [3]), integers("to", [-9]), integers("axis", [0]), integers("step", [-1])]);
test("average pool: ceil, pads counted, and none", [1, 4, 8, 8], [node("AveragePool", ["x"], ["y"], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1, count_include_pad: 1 })]);
test("weights that are inputs too, under another name", [1, 3, 6, 6], [node("Identity", ["w"], ["v"]), node("Conv", ["x", "v"], ["c"], plain), node("Conv", ["c", "w"], ["y"], plain)],
  [weights("w", [3, 3, 3, 3])], { opset: 8, defaults: { w: [3, 3, 3, 3] } });

// Weights beside the file, the first bytes of which are none of it.
writeFileSync(join(golden.folder, "case.onnx.data"), Buffer.concat([Buffer.alloc(64), Buffer.from(noise(4 * 27 + 4).buffer)]));
test("weights in a file beside it", [1, 3, 6, 6], [node("Conv", ["x", "w", "b"], ["y"], plain)],
  [beside("w", [4, 3, 3, 3], "case.onnx.data", 64), beside("b", [4], "case.onnx.data", 64 + 4 * 108)]);

async function expected(path, inputs, samples) {
  const session = await ort.InferenceSession.create(path, { logSeverityLevel: 3 });
  const results = [];
  for (const sample of samples) {
    let at = 0;
    const feeds = {};
    for (const [name, dims] of Object.entries(inputs)) {
      feeds[name] = new ort.Tensor("float32", sample.slice(at, at + product(dims)), dims);
      at += product(dims);
    }
    const out = await session.run(feeds);
    results.push(golden.concatenate(session.outputNames.map((name) => out[name].data)));
  }
  return results;
}

let failures = 0;
for (const one of cases) {
  try {
    const bytes = network(one), path = join(golden.folder, "case.onnx");
    const count = Object.values(one.inputs).map(product).reduce((a, b) => a + b);
    const samples = [noise(count), noise(count)];
    writeFileSync(path, bytes);
    const oracle = await expected(path, one.inputs, samples);
    const model = golden.importModel(path, "case");
    for (const level of golden.levels) {
      const ours = golden.runKen(model, samples, { KEN_SIMD: level, KEN_THREADS: "2" });
      const most = Math.max(...ours.map((o, i) => golden.maxDifference(o, oracle[i])));
      if (!(most <= LIMIT)) throw new Error(`KEN_SIMD=${level}: max difference ${most}`);
    }
    console.log(`ok   ${one.name}`);
  } catch (cause) {
    failures++;
    console.log(`FAIL ${one.name}: ${cause.message}`);
  }
}
console.log(`${cases.length - failures} of ${cases.length} fine`);
process.exit(failures ? 1 : 0);
