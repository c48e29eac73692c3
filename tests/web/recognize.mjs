// What MediaPipe's GestureRecognizer for the web answers to photos.
//
//     node recognize.mjs FOLDER BUNDLE.task...
//
// FOLDER holds the bundles and the photos (*.png). Prints JSON: {runtime, answers: {BUNDLE: [{file, pixels, hands}]}}, where
// `pixels` is the SHA-256 of the photo's RGB bytes as the browser sees them, and a hand has its gesture, score, handedness
// (probability of right), landmarks and world landmarks.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { withPage } from "./browser.mjs";
import { serve } from "./server.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const [folder, ...bundles] = process.argv.slice(2);
if (!folder || !bundles.length) {
  console.error("usage: node recognize.mjs FOLDER BUNDLE.task...");
  process.exit(2);
}
const about = path.join(here, "node_modules/@mediapipe/tasks-vision/package.json");
const { version } = JSON.parse(readFileSync(about, "utf8"));
const photos = readdirSync(folder).filter((name) => name.endsWith(".png")).sort();
const server = await serve({ "/": folder, "/page/": path.join(here, "page"), "/node_modules/": path.join(here, "node_modules") });
const answers = {};
try {
  const seen = await withPage(server.address, async (page) => {
    await page.goto(`${server.address}/page/empty.html`);
    for (const bundle of bundles) {
      answers[bundle] = await page.evaluate(recognizeAll, { bundle, photos });
    }
  });
  if (seen.errors.length || server.missing.length) {
    throw new Error([...seen.errors, ...server.missing.map((asked) => `${asked} is not there`)].join("\n"));
  }
  const runtime = `@mediapipe/tasks-vision ${version}`;
  process.stdout.write(JSON.stringify({ runtime, where: seen.browser, refused: seen.refused, answers }));
} finally {
  await server.close();
}

/** In the page: load a bundle and ask it about each photo. */
async function recognizeAll({ bundle, photos }) {
  const { FilesetResolver, GestureRecognizer } = await import("/node_modules/@mediapipe/tasks-vision/vision_bundle.mjs");
  const wasm = await FilesetResolver.forVisionTasks("/node_modules/@mediapipe/tasks-vision/wasm");
  const recognizer = await GestureRecognizer.createFromOptions(wasm, {
    baseOptions: { modelAssetPath: `/${encodeURIComponent(bundle)}`, delegate: "CPU" },
    runningMode: "IMAGE",
  });
  const found = [];
  for (const file of photos) {
    const image = new Image();
    image.src = `/${encodeURIComponent(file)}`;
    await image.decode();
    const result = recognizer.recognize(image);
    found.push({ file, pixels: await checksum(image), hands: result.gestures.map((_, index) => hand(result, index)) });
  }
  recognizer.close();
  return found;

  function hand(result, index) {
    const [gesture] = result.gestures[index];
    const [side] = result.handedness[index];
    const points = (landmarks) => landmarks.map(({ x, y, z }) => [x, y, z]);
    return {
      gesture: gesture?.categoryName ?? "",
      score: gesture?.score ?? 0,
      handedness: side.categoryName === "Right" ? side.score : 1 - side.score,
      landmarks: points(result.landmarks[index]),
      world: points(result.worldLandmarks[index]),
    };
  }

  async function checksum(image) {
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const rgb = new Uint8Array((data.length / 4) * 3);
    for (let from = 0, to = 0; from < data.length; from += 4) {
      rgb[to++] = data[from];
      rgb[to++] = data[from + 1];
      rgb[to++] = data[from + 2];
    }
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", rgb));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}
