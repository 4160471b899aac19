#!/usr/bin/env python3
"""`ken model`: refusals are one line that names the object, and leave no file. usage: model_test.py KEN"""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

KEN = sys.argv[1]
SEEDS = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus"
failures = 0


def ken(*arguments):
    return subprocess.run([KEN, "model", *map(str, arguments)], capture_output=True, text=True, check=False)


def expect(name, result, code, words=""):
    global failures
    good = result.returncode == code and words in result.stderr and result.stderr.count("\n") <= (code != 0)
    if not good:
        failures += 1
        print(f"FAIL {name}: exit {result.returncode}, {result.stderr!r} (expected {code}, {words!r})")


def check(name, good):
    global failures
    if not good:
        failures += 1
        print(f"FAIL {name}")


def write_manifest(path, onnx, digest, **changes):
    model = {"name": "conv", "package": "networks", "version": "1.2.3", "file": onnx.name, "licence": "MIT",
             "sha256": digest, "role": "none", **changes}
    path.write_text(json.dumps({"models": [model]}))


def test_import(folder):
    out, seed = folder / "out.ken", SEEDS / "onnx" / "conv.onnx"
    expect("absent file", ken("import", folder / "absent.onnx", "-o", out), 1, "absent.onnx: No such file")
    text = folder / "text.onnx"
    text.write_text("this is no network\n")
    expect("text", ken("import", text, "-o", out), 1, f"import {text}")
    cut = folder / "cut.onnx"
    cut.write_bytes(seed.read_bytes()[:-200])
    expect("truncated", ken("import", cut, "-o", out), 1, "cut off or damaged")
    strange = folder / "strange.onnx"
    strange.write_bytes(seed.read_bytes().replace(b"PRelu", b"QRelu"))
    expect("unknown operator", ken("import", strange, "-o", out), 1, "operator QRelu of node \"QRelu_y\"")
    expect("no output named", ken("import", seed), 2, "-o")
    expect("two files", ken("import", seed, seed, "-o", out), 2)
    for shape in ("1,y", "1x3x", "x1", "1x2x3x4x5x6x7"):
        expect(f"wrong shape {shape}", ken("import", seed, "-o", out, "--input-shape", shape), 2, "--input-shape")
    use = {"--role": "embed", "--input-order": "rgb", "--mean": "127.5", "--scale": "1/128"}
    for option, value, words in (("--role", "face", "detect, landmark, embed"), ("--input-order", "gbr", "rgb, bgr, grey"),
                                 ("--mean", "1,2", "--mean"), ("--mean", "a", "--mean"), ("--scale", "1/0", "--scale"),
                                 ("--scale", "1,2,3,4", "--scale"), ("--scale", "", "--scale")):
        wrong = [word for pair in {**use, option: value}.items() for word in pair]
        expect(f"{option} {value}", ken("import", seed, "-o", out, *wrong), 2, words)
    expect("a role alone", ken("import", seed, "-o", out, "--role", "embed"), 2, "--role wants --input-order")
    expect("preprocessing without a role", ken("import", seed, "-o", out, "--mean", "1"), 2, "go with --role")
    expect("two channels are no picture", ken("import", seed, "-o", out, *[w for p in use.items() for w in p]), 1,
           "its input has 2 channels, which rgb does not fit")
    expect("a wrong word", ken("imprt", seed), 2, "imprt: no such verb; there are import and info")
    expect("unwritable", ken("import", seed, "-o", folder / "absent" / "out.ken"), 1, "absent")
    check("refusals leave no file", not out.exists())
    expect("fine", ken("import", seed, "-o", out), 0)
    check("fine file", out.read_bytes()[:8] == b"KENMODEL")


def test_manifest(folder):
    out, manifest = folder / "models", folder / "list" / "manifest.json"
    packages = folder / "node_modules"
    manifest.parent.mkdir()
    (packages / "networks").mkdir(parents=True)
    onnx = packages / "networks" / "conv.onnx"
    onnx.write_bytes((SEEDS / "onnx" / "conv.onnx").read_bytes())
    digest = hashlib.sha256(onnx.read_bytes()).hexdigest()
    write_manifest(manifest, onnx, digest)
    expect("manifest", ken("import", "--manifest", manifest, "-o", out), 0)
    check("model made", (out / "conv.ken").exists())
    (out / "conv.ken").unlink()
    write_manifest(manifest, onnx, digest[::-1])
    expect("another file", ken("import", "--manifest", manifest, "-o", out), 1,
           "not the file that the manifest means")
    check("another file makes none", not (out / "conv.ken").exists())
    write_manifest(manifest, onnx, digest, file="absent.onnx")
    expect("package absent", ken("import", "--manifest", manifest, "-o", out), 1, "install networks@1.2.3")
    write_manifest(manifest, onnx, digest, file="../networks/conv.onnx")
    expect("a way out of the package", ken("import", "--manifest", manifest, "-o", out), 1, "not well described")
    write_manifest(manifest, onnx, digest, name="../conv")
    expect("a way out of the folder", ken("import", "--manifest", manifest, "-o", out), 1, "not well described")
    manifest.write_text("{")
    expect("no JSON", ken("import", "--manifest", manifest, "-o", out), 1, "manifest.json: line 1")


def test_info(folder):
    model = SEEDS / "model_file" / "conv.ken"
    expect("info of an absent file", ken("info", folder / "absent.ken"), 1, "absent.ken")
    damaged = folder / "damaged.ken"
    damaged.write_bytes(model.read_bytes()[:-1] + b"\x55")
    expect("info of a damaged file", ken("info", damaged), 1, "checksum")
    expect("info", ken("info", model), 0)
    described = json.loads(ken("info", model, "--json").stdout)
    check("the role of a network that has none", described["use"]["role"] == "none")
    old = folder / "old.ken"
    old.write_bytes(model.read_bytes()[:8] + b"\1" + model.read_bytes()[9:])
    expect("info of an old version", ken("info", old), 1, "import it again")
    check("info --json", described["inputs"] == [{"name": "x", "shape": [1, 2, 4, 3]}]
          and described["multiply_adds"] == 648 and len(described["nodes"]) == 1)


with tempfile.TemporaryDirectory() as name:
    for test in (test_import, test_manifest, test_info):
        inside = pathlib.Path(name) / test.__name__
        inside.mkdir()
        test(inside)
print("failed" if failures else "fine")
sys.exit(failures != 0)
