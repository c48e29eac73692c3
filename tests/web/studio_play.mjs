// Uses the shop of the studio's page by hand: tells where its targets are, waits for a film to be drawn, and plays it.
//
//     node studio_play.mjs PLAN.json
//
// PLAN: {address, camera, blank, film, click, grab, awaited, pictures}: `camera` is the name of the fake camera's file, `blank` a film
// without a hand, `film` the one that is drawn for the places; `awaited`: what is to be done, [[kind, target]]; `pictures`: a folder for
// pictures of the page, or nothing. Prints two lines of JSON: first {places: {target: [x, y] in shares of the camera's picture}, rate:
// pictures that are answered per second}, what the keyboard did, and which gestures were chosen and remembered; then reads a line, when
// the film is there; at last {log: [what was done touchless, with the basket before and after it], said, errors, refused, delay}.

import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { withStudio } from "./studio.mjs";
import { fakeCamera, placesOf, shown, startCamera, stopCamera } from "./studio_steps.mjs";

const PATIENCE = 120_000; // milliseconds: the film is shown over and over, and takes a tenth of it, slowed down a half

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const camera = fakeCamera(plan.camera);
camera.show(plan.blank);

const options = { film: plan.camera, hash: "play", height: 800 };
const told = await withStudio(plan.address, options, async (page) => {
  await offered(page);
  const before = await choice(page);
  await shown(page).locator('[data-choice="click"]').selectOption(before.grab);
  const exchanged = await choice(page);
  await page.reload();
  await offered(page);
  const remembered = await choice(page);
  await shown(page).locator('[data-choice="click"]').selectOption(plan.click);
  await shown(page).locator('[data-choice="grab"]').selectOption(plan.grab);
  const byKeyboard = await useKeyboard(page);
  await startCamera(page); // the shop is laid out another way while there is a camera
  await shown(page).locator('[data-target="add apple"]').click();
  const places = await placesOf(page);
  const rate = await answersPerSecond(page);
  await shown(page).locator('[data-target="remove apple"]').click();
  await stopCamera(page);
  console.log(JSON.stringify({ places, rate, before, exchanged, remembered, by_keyboard: byKeyboard }));
  await lines.next();

  await page.evaluate(() => {
    window.touchless = [];
    const amount = (line) => Number(line.querySelector(".amount").textContent);
    const basket = () => Object.fromEntries([...document.querySelectorAll(".play .line")].map((line) => [line.dataset.product, amount(line)]));
    document.querySelector(".play .shop").addEventListener("touchless", ({ detail }) => {
      const before = basket();
      // The shop acts after it has told what happens: its basket is read when all of that is done.
      queueMicrotask(() => setTimeout(() => window.touchless.push({ ...detail, before, after: basket() })));
    });
  });
  camera.show(plan.film);
  await startCamera(page);
  for (const [kind, target] of plan.awaited) {
    await page.waitForFunction(
      ([kind, target]) => window.touchless.some((one) => one.kind === kind && one.target === target),
      [kind, target],
      { timeout: PATIENCE },
    );
    if (plan.pictures) await page.screenshot({ path: path.join(plan.pictures, `play_${kind}_${target.replaceAll(" ", "_")}.png`) });
  }
  const delay = await shown(page).locator(".told .number").textContent();
  await stopCamera(page);
  return { log: await page.evaluate(() => window.touchless), delay, basket: await shown(page).locator(".line").count() };
});
console.log(JSON.stringify({ ...told.answer, said: told.said, errors: told.errors, refused: told.refused }));
process.exit(0); // stdin is open

/** How many pictures per second this machine answers at the moment. */
function answersPerSecond(page, wanted = 12) {
  return page.evaluate(
    (wanted) =>
      new Promise((resolve) => {
        let first = null;
        let seen = 0;
        new MutationObserver((_, observer) => {
          first ??= performance.now();
          if ((seen += 1) <= wanted) return;
          observer.disconnect();
          resolve((1000 * wanted) / (performance.now() - first));
        }).observe(document.querySelector(".play .told .number"), { childList: true });
      }),
    wanted,
  );
}

/** Wait until the page offers gestures. */
function offered(page) {
  return page.waitForFunction(() => document.querySelector('.play [data-choice="click"]')?.value);
}

/** What is chosen: {run, click, grab}. */
function choice(page) {
  return page.evaluate(() => Object.fromEntries([...document.querySelectorAll(".play [data-choice]")].map((one) => [one.dataset.choice, one.value])));
}

/** Shop by keyboard; tells {lines, sum} after each step. */
async function useKeyboard(page) {
  const basket = () =>
    page.evaluate(() => ({
      lines: Object.fromEntries(
        [...document.querySelectorAll(".play .line")].map((line) => [line.dataset.product, Number(line.querySelector(".amount").textContent)]),
      ),
      sum: document.querySelector(".play .sum strong").textContent,
    }));
  const press = async (target, key, times = 1) => {
    await shown(page).locator(`[data-target="${target}"]`).focus();
    for (let time = 0; time < times; time += 1) await page.keyboard.press(key);
    return basket();
  };
  await press("add pear", "Enter", 2);
  const added = await press("add milk", "Space");
  const changed = await press("fewer pear", "Enter");
  const removed = await press("remove pear", "Enter");
  const focused = await page.evaluate(() => document.activeElement.dataset.target);
  const ordered = await press("check out", "Enter");
  const thanks = await shown(page).locator(".thanks").innerText();
  return { added, changed, removed, focused, ordered, thanks };
}
