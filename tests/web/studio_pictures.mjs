// Pictures of the studio while it is used: recording, training, an answer, the shop. For scripts/draw_studio.py.
//
//     node studio_pictures.mjs PLAN.json
//
// PLAN: {address, camera, width, height, scheme, presses: [{label, film, photos}], tried: film, click, grab, played: film, folder}. Prints
// a line of JSON, {places: see studio_steps.mjs: placesOf}, for which the film `played` is to be drawn; reads a line when it is there.
// Leaves collect.png, train.png, trained.png, try.png and play.png in `folder`, of twice the size.

import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { withStudio } from "./studio.mjs";
import { addClass, askUntil, fakeCamera, placesOf, record, shown, startCamera, stopCamera, train, turnTo } from "./studio_steps.mjs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const camera = fakeCamera(plan.camera);
camera.show(plan.presses[0].film);

const { width, height, scheme } = plan;
const options = { film: camera.place, width, height, scheme, more: { deviceScaleFactor: 2, reducedMotion: "reduce" } };
await withStudio(plan.address, options, async (page) => {
  const picture = async (name, top = null) => {
    if (top) await scrollTo(page, top);
    await page.screenshot({ path: path.join(plan.folder, `${name}.png`) });
  };
  const labels = new Set(plan.presses.map(({ label }) => label));
  for (const label of labels) if (label !== "none") await addClass(page, label);
  for (const press of plan.presses) {
    camera.show(press.film);
    await startCamera(page);
    const last = press === plan.presses.at(-1);
    await record(page, press.label, { ...press, meanwhile: last ? () => picture("collect", "h1") : null });
  }
  await stopCamera(page);
  await train(page, async () => {
    const far = (job) => job.stages.at(-1) === "training" && job.done > 0.6 * job.total;
    await askUntil(page, "/api/train/job", ({ job }) => job.state !== "running" || far(job));
    await picture("train");
  });
  await picture("trained", "h1");

  await turnTo(page, "try");
  camera.show(plan.tried);
  await startCamera(page);
  await page.locator(".try .winner").first().waitFor();
  await page.locator(".try .try-numbers").waitFor();
  await picture("try", "h1");

  await turnTo(page, "play");
  await page.waitForFunction(() => document.querySelector('.play [data-choice="click"]').value);
  await shown(page).locator('[data-choice="click"]').selectOption(plan.click);
  await shown(page).locator('[data-choice="grab"]').selectOption(plan.grab);
  for (const product of ["cheese", "carrot", "carrot"]) await shown(page).locator(`[data-target="add ${product}"]`).click();
  await startCamera(page); // the shop is laid out another way while there is a camera
  await scrollTo(page, ".shop");
  console.log(JSON.stringify({ places: await placesOf(page) }));
  await stopCamera(page);
  await lines.next();
  camera.show(plan.played);
  await page.evaluate(() => {
    document.querySelector(".play .shop").addEventListener("touchless", ({ detail }) => (window.touched = detail.kind));
  });
  await startCamera(page);
  await scrollTo(page, ".shop");
  await page.waitForFunction(() => window.touched === "click", null, { timeout: 120_000 });
  await picture("play");
});
process.exit(0); // stdin is open

/** Scroll the page until a part of what is shown is at the window's top: for its title that is the page's top. */
function scrollTo(page, selector) {
  return shown(page)
    .locator(selector)
    .evaluate((part) => window.scrollTo(0, part.matches("h1") ? 0 : part.getBoundingClientRect().top + window.scrollY - 16));
}
