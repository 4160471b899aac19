// Makes the seeds of the targets `onnx` and `model_file` anew: after a change of the model file's version.
// usage: KEN=build/release/ken node tests/fuzz/make_seeds.mjs
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { floats, integers, network, node } from "../../tools/onnx.mjs";

const corpus = new URL("corpus", import.meta.url).pathname;
const slope = (n) => Array.from({ length: n }, (_, i) => i / n - 0.5);
const weights = (name, dims) => floats(name, dims, slope(dims.reduce((a, b) => a * b, 1)));
const same = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };

const seeds = {
  conv: { inputs: { x: [1, 2, 4, 3] }, nodes: [node("Conv", ["x", "w"], ["c"], same), node("BatchNormalization", ["c", "b", "b", "b", "v"], ["n"]),
    node("PRelu", ["n", "s"], ["y"])], constants: [weights("w", [3, 2, 3, 3]), weights("b", [3]), floats("v", [3], [1, 2, 3]), weights("s", [3, 1, 1])] },
  depthwise: { inputs: { x: [1, 3, 5, 4] }, nodes: [node("Conv", ["x", "w"], ["c"], { ...same, group: 3, strides: [2, 2] }),
    node("AveragePool", ["c"], ["y"], { kernel_shape: [2, 2] })], constants: [weights("w", [3, 1, 3, 3])] },
  detector: { inputs: { x: [1, 2, 3, 2] }, nodes: [node("Conv", ["x", "w"], ["a"], { kernel_shape: [1, 1] }),
    node("Transpose", ["a"], ["t"], { perm: [0, 2, 3, 1] }), node("Shape", ["t"], ["s"]), node("Gather", ["s", "zero"], ["g"]),
    node("Unsqueeze", ["g", "zeros"], ["u"]), node("Concat", ["u", "rest"], ["n"], { axis: 0 }), node("Reshape", ["t", "n"], ["r"]),
    node("Concat", ["r", "r"], ["j"], { axis: 1 }), node("Slice", ["j", "zeros", "one", "two"], ["l"]), node("Softmax", ["l"], ["y"])],
    constants: [weights("w", [4, 2, 1, 1]), integers("zero", [0], []), integers("zeros", [0]), integers("one", [1]), integers("two", [2]), integers("rest", [-1, 2])] },
  dense: { inputs: { x: [1, 2, 2, 2] }, nodes: [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w", "b"], ["g"], { transB: 1 }),
    node("Split", ["g"], ["p", "q"], { axis: 1 }), node("Mul", ["p", "q"], ["y"])], constants: [weights("w", [4, 8]), weights("b", [4])] },
  groups: { inputs: { x: [1, 4, 3, 3] }, nodes: [node("Conv", ["x", "w"], ["c"], { ...same, group: 2 }), node("Add", ["c", "x"], ["a"]),
    node("Relu", ["a"], ["r"]), node("GlobalAveragePool", ["r"], ["p"]), node("Sigmoid", ["p"], ["s"]), node("Mul", ["r", "s"], ["y"])],
    constants: [weights("w", [4, 2, 3, 3])] },
  pyramid: { inputs: { x: [1, 2, 4, 3] }, nodes: [node("Pad", ["x", "pads"], ["p"], { mode: "reflect" }), node("MaxPool", ["p"], ["m"], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
    node("Resize", ["m", "", "scales"], ["u"], { mode: "linear" }), node("Resize", ["u", "", "", "sizes"], ["v"], { mode: "nearest" }), node("Add", ["v", "x"], ["y"])],
    constants: [integers("pads", [0, 0, 1, 0, 0, 0, 0, 1]), floats("scales", [4], [1, 1, 2, 2]), integers("sizes", [1, 2, 4, 3])] },
  attention: { inputs: { x: [1, 4, 2, 3] }, nodes: [node("Reshape", ["x", "s"], ["r"]), node("Transpose", ["r"], ["t"], { perm: [0, 2, 1] }),
    node("MatMul", ["r", "t"], ["a"]), node("ReduceMean", ["a"], ["m"], { axes: [-1] }), node("Sub", ["a", "m"], ["d"]), node("Softmax", ["d"], ["p"]),
    node("MatMul", ["p", "r"], ["o"]), node("Expand", ["o", "e"], ["q"]), node("ReduceL2", ["q"], ["y"], { axes: [0] })],
    constants: [integers("s", [1, 4, 6]), integers("e", [2, 4, 6])] },
  dynamic: { inputs: { x: [1, 2, 4, 3] }, nodes: [node("GlobalAveragePool", ["x"], ["p"]), node("Mul", ["w", "p"], ["k"]), node("Conv", ["x", "k"], ["c"], same),
    node("InstanceNormalization", ["c", "g", "h"], ["i"]), node("HardSwish", ["i"], ["y"])],
    constants: [weights("w", [3, 2, 3, 3]), floats("g", [3], [1, 2, 3]), floats("h", [3], [0, 1, 0])], opset: 14 },
  product: { inputs: { x: [1, 1, 4, 4] }, nodes: [node("Conv", ["x", "w"], ["c"], { kernel_shape: [1, 1] }), node("Conv", ["c", "v"], ["y"], { kernel_shape: [1, 1] })],
    constants: [weights("w", [64, 1, 1, 1]), weights("v", [64, 64, 1, 1])], options: ["--role", "embed", "--input-order", "grey", "--mean", "0", "--scale", "1"] },
};
for (const [name, { options = [], ...seed }] of Object.entries(seeds)) {
  const path = join(corpus, "onnx", `${name}.onnx`);
  writeFileSync(path, network({ outputs: { y: null }, ...seed }));
  execFileSync(process.env.KEN, ["model", "import", path, "-o", join(corpus, "model_file", `${name}.ken`), ...options], { stdio: "inherit" });
}
