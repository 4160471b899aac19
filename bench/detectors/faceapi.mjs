// SSD MobileNet v1 and the tiny face detector of @vladmandic/face-api, by its own code. The picture comes reduced to the
// network's input, so that its own scaling (bilinear, which drops pixels) has nothing left to do.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fit } from "./picture.mjs";

const require = createRequire(import.meta.url);

export async function faceApiDetectors(tf, least) {
  const faceapi = require("@vladmandic/face-api/dist/face-api.node-wasm.js");
  const weights = join(dirname(require.resolve("@vladmandic/face-api/package.json")), "model");
  await faceapi.nets.ssdMobilenetv1.loadFromDisk(weights);
  await faceapi.nets.tinyFaceDetector.loadFromDisk(weights);
  async function run(picture, side, options) {
    const small = fit(picture, side), tensor = tf.tensor3d(small.data, [small.height, small.width, 3], "int32");
    const start = performance.now(), found = await faceapi.detectAllFaces(tensor, options), ms = performance.now() - start;
    tensor.dispose();
    const boxes = found.map(({ box, score }) => ({ x: box.x / small.scale, y: box.y / small.scale, w: box.width / small.scale, h: box.height / small.scale, score }));
    return { boxes, ms };
  }
  const ssd = new faceapi.SsdMobilenetv1Options({ minConfidence: least, maxResults: 100 });
  const tiny = (side) => (picture) => run(picture, side, new faceapi.TinyFaceDetectorOptions({ inputSize: side, scoreThreshold: least }));
  return [
    { name: "face-api SSD MobileNet v1, 512", run: (picture) => run(picture, 512, ssd) },
    { name: "face-api tiny, 416", run: tiny(416) },
    { name: "face-api tiny, 800", run: tiny(800) },
  ];
}
