// What a person does in the studio, step by step, for scripts that drive its page.

import { renameSync, rmSync, symlinkSync } from "node:fs";

const LONG = 180_000; // milliseconds: a training takes 10 seconds, and another process may have the cores

/**
 * A fake camera whose film can be changed: Chromium opens the file anew whenever a page starts the camera. `place` is the file's
 * name that Chromium is told; all films have one size.
 */
export function fakeCamera(place) {
  return {
    place,
    show(film) {
      const next = `${place}.next`;
      rmSync(next, { force: true });
      symlinkSync(film, next);
      renameSync(next, place);
    },
  };
}

/** Ask the studio for an address as the page would until the answer is `good`. */
export async function askUntil(page, address, good) {
  const end = Date.now() + LONG;
  while (!good(await page.evaluate(async (asked) => (await fetch(asked)).json(), address))) {
    if (Date.now() > end) throw new Error(`${address} does not answer as it should: ${good}`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

/** Return the section of the page that is shown. */
export function shown(page) {
  return page.locator("#content > section:not([hidden])");
}

/** Turn to a step: "collect", "train", "try" or "play". */
export async function turnTo(page, step) {
  await page.click(`#tabs a[href="#${step}"]`);
  await page.waitForSelector(`#content > section.${step}:not([hidden])`);
}

/** Start the camera of the page that is shown, again when it is on already, and wait until it gives pictures. */
export async function startCamera(page) {
  const start = shown(page).locator(".stage .controls button").first();
  if (await shown(page).locator(".stage video").count()) {
    await start.click();
    await shown(page).locator(".stage video").waitFor({ state: "detached" });
  }
  await start.click();
  await shown(page).locator(".stage video").waitFor();
}

/** Stop the camera of the page that is shown. */
export async function stopCamera(page) {
  await shown(page).locator(".stage .controls button").first().click();
  await shown(page).locator(".stage video").waitFor({ state: "detached" });
}

/** Add a class on the page collect. */
export async function addClass(page, label) {
  const form = page.locator(".collect .add form");
  await form.locator("input").fill(label);
  await form.locator("button[type=submit]").click();
  await card(page, label).waitFor();
}

/** Return the card of a class on the page collect. */
export function card(page, label) {
  return page.locator(`.collect .card.class[data-label="${label}"]`);
}

/** Return how many photos the card of a class counts. */
export async function photosOf(page, label) {
  return Number((await card(page, label).locator(".numbers > strong").textContent()).replace(/\D/g, ""));
}

/**
 * Record into a class until it has `photos` more, by holding its button ("mouse") or the space bar ("space"), then wait until the
 * studio has answered to all of them. `meanwhile()` is called before the end. Returns what the page says of the press.
 */
export async function record(page, label, { photos, by = "mouse", meanwhile = null }) {
  const before = await photosOf(page, label);
  const button = card(page, label).locator("button.hold");
  if (by === "mouse") {
    await button.scrollIntoViewIfNeeded();
    await button.hover();
    await page.mouse.down();
  } else {
    await card(page, label).locator("input[type=radio]").check();
    await page.keyboard.down("Space");
  }
  // As the studio counts: the page counts a photo when it is taken, and some turn out to repeat another.
  await askUntil(page, "/api/dataset", ({ classes }) => classes.find((one) => one.label === label).photos >= before + photos);
  await meanwhile?.();
  if (by === "mouse") await page.mouse.up();
  else await page.keyboard.up("Space");
  await page.locator(".collect .status [data-act=take-back]").waitFor();
  return (await page.locator(".collect .status .line").textContent()).trim();
}

/**
 * Look for some seconds at the gesture that the page try shows. Returns {first: seconds until it was `wanted`, or null; share: of
 * the looks from then on at which it was; answers: how often each was shown}.
 */
export function watchAnswer(page, wanted, seconds) {
  return page.evaluate(
    async ([expected, patience, watched]) => {
      const shownNow = () => document.querySelector(".try-gesture").textContent;
      const begin = performance.now();
      const passed = () => (performance.now() - begin) / 1000;
      const answers = {};
      let first = null;
      let looks = 0;
      let right = 0;
      while (first === null ? passed() < patience : passed() < first + watched) {
        const now = shownNow();
        answers[now] = (answers[now] ?? 0) + 1;
        if (now === expected) first ??= passed();
        if (first !== null) {
          looks += 1;
          right += now === expected;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return { first, share: looks ? right / looks : 0, answers };
    },
    [wanted, 20, seconds],
  );
}

/**
 * Train with the button, and nothing else, and wait until it is over. Returns {seconds: from the click to the end, ended: what the page
 * says then}. `meanwhile()` is called as soon as there are curves.
 */
export async function train(page, meanwhile = null) {
  await turnTo(page, "train");
  const button = page.locator(".train .train-button:enabled");
  await button.waitFor();
  const begin = Date.now();
  await button.click();
  const stages = page.locator(".train .job .stages");
  await stages.waitFor();
  if (meanwhile) {
    await page.locator('.train .job .stages [aria-current="step"] ~ li').last().waitFor({ state: "attached" });
    await meanwhile();
  }
  await stages.waitFor({ state: "hidden", timeout: LONG });
  const seconds = (Date.now() - begin) / 1000;
  return { seconds, ended: (await page.locator(".train .job").innerText()).trim() };
}

/** Save the .task that the page try offers to a file. */
export async function downloadTask(page, file) {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.locator('.try a[download][href*="what=task"]').click(),
  ]);
  await download.saveAs(file);
}

/**
 * Return where the middles of what a hand can click in the shop of the page play are in the camera's picture, {target: [x, y] in shares},
 * by the page's own way from one to the other.
 */
export function placesOf(page) {
  return page.evaluate(async () => {
    const { toPicture } = await import("/static/play_pointer.js");
    const panel = document.querySelector(".play .shop").getBoundingClientRect();
    const seen = { top: Math.max(0, panel.top), bottom: Math.min(innerHeight, panel.bottom) };
    const place = (element) => {
      const { left, right, top, bottom } = element.getBoundingClientRect();
      return toPicture([((left + right) / 2 - panel.left) / panel.width, ((top + bottom) / 2 - seen.top) / (seen.bottom - seen.top)]);
    };
    const targets = [...document.querySelectorAll(".play .shop [data-target]")].map((one) => [one.dataset.target, place(one)]);
    return Object.fromEntries([...targets, ["basket", place(document.querySelector(".play .basket"))]]);
  });
}
