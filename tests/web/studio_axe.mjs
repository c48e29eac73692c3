// The studio's pages in the states that people meet them in: asked by axe-core, walked through by keyboard, and measured for
// sideways scroll, each light and dark, wide and narrow, and with text of twice the size.
//
//     node studio_axe.mjs PLAN.json
//
// PLAN: {address, film, camera, states: "empty" or "full", pictures}. "empty" expects a studio without photos and runs; "full" one with
// photos and a run with a bundle. `pictures`: a folder for pictures of each, or nothing. Prints JSON: {looked: [state], violations:
// [{state, look, id, impact, help, nodes}], sideways: [{state, look, by}], walks: [{state, stops, missed, unseen, backwards}],
// said, errors, refused}.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { withStudio } from "./studio.mjs";
import { card, fakeCamera, shown, startCamera, stopCamera, turnTo } from "./studio_steps.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LOOKS = [
  { look: "light 1280", scheme: "light", width: 1280 },
  { look: "dark 1280", scheme: "dark", width: 1280 },
  { look: "dark 360", scheme: "dark", width: 360 },
  { look: "light 360", scheme: "light", width: 360 },
];
const HEIGHT = 900;
const LARGE = { look: "text at 200 %", width: 1280 };
const MOST_STOPS = 400;

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const camera = fakeCamera(plan.camera);
camera.show(plan.film);
const told = { looked: [], violations: [], sideways: [], walks: [] };

const seen = await withStudio(plan.address, { film: camera.place, more: { reducedMotion: "reduce" } }, async (page) => {
  const look = (state) => lookAt(page, state);
  await { empty, full }[plan.states](page, look);
});
process.stdout.write(JSON.stringify({ ...told, said: seen.said, errors: seen.errors, refused: seen.refused }));

/** A studio that was just made. */
async function empty(page, look) {
  await card(page, "none").waitFor();
  await look("collect, empty");
  await turnTo(page, "train");
  await page.locator(".train form .warn").first().waitFor();
  await look("train, nothing to train on");
  await turnTo(page, "try");
  await shown(page).locator('a[href="#train"]').waitFor();
  await look("try, no run");
  await turnTo(page, "play");
  await shown(page).locator('.setup a[href="#train"]').waitFor();
  await look("play, no run");
}

/** A studio with photos and a run. */
async function full(page, look) {
  await card(page, "none").locator(".strip img").first().waitFor();
  await look("collect, photos");
  await startCamera(page);
  await page.locator(".collect.live").waitFor();
  await look("collect, camera");
  await stopCamera(page);
  await card(page, "none").locator('[data-act="open"]').click();
  await page.locator(".collect .view li img").first().waitFor();
  await look("collect, photos of a class");

  await turnTo(page, "train");
  await page.locator(".train .train-button:enabled").waitFor();
  await page.locator(".train .advanced summary").click();
  await look("train, a run and the settings");
  await page.locator(".train .advanced summary").click();

  await turnTo(page, "try");
  await startCamera(page);
  await page.locator(".try .winner").first().waitFor();
  await page.locator('.try a[download][href*="what=task"]').waitFor();
  await look("try, an answer");
  await stopCamera(page);

  await turnTo(page, "play");
  await page.locator('.play [data-choice="click"]').waitFor();
  for (const product of await page.locator(".play .product").all()) await product.click();
  await look("play, a basket");
  await startCamera(page);
  await look("play, by hand");
  await stopCamera(page);
}

async function lookAt(page, state) {
  told.looked.push(state);
  for (const { look, scheme, width } of LOOKS) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: HEIGHT });
    await settle(page);
    if (plan.pictures) await picture(page, `${state} ${look}`);
    for (const violation of await askAxe(page)) told.violations.push({ state, look, ...violation });
    await measure(page, state, look);
    if (look === LOOKS[0].look) told.walks.push({ state, ...(await walk(page)) });
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.setViewportSize({ width: LARGE.width, height: plan.pictures ? 2 * HEIGHT : HEIGHT });
  const browser = await page.context().newCDPSession(page);
  await browser.send("Page.setFontSizes", { fontSizes: { standard: 32, fixed: 26 } }); // twice the usual ones
  await page.waitForFunction(() => getComputedStyle(document.documentElement).fontSize === "32px");
  await settle(page);
  await measure(page, state, LARGE.look);
  if (plan.pictures) await picture(page, `${state} ${LARGE.look}`, false); // all of the page would have text of the usual size
  await browser.send("Page.setFontSizes", { fontSizes: { standard: 16, fixed: 13 } });
  await browser.detach();
}

/** Wait until what follows from a new size has been laid out. */
function settle(page) {
  return page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

function picture(page, name, fullPage = true) {
  return page.screenshot({ path: path.join(plan.pictures, `${name.replace(/[^a-z0-9]+/gi, "_")}.png`), fullPage });
}

/** Evaluated by the debugger's protocol, so that the page's policy stays as it is. */
async function askAxe(page) {
  if (!(await page.evaluate("typeof axe === 'object'"))) await page.evaluate(`${AXE};0`);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, help, nodes }) => ({
      id,
      impact,
      help,
      nodes: nodes.slice(0, 5).map(({ target, failureSummary }) => `${target.join(" ")}: ${failureSummary}`),
    }));
  });
}

async function measure(page, state, look) {
  const by = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (by > 0) told.sideways.push({ state, look, by, widest: await widest(page) });
}

/** What reaches furthest beyond the window's edge. */
function widest(page) {
  return page.evaluate(() => {
    const far = [...document.querySelectorAll("body *")].map((one) => [one.getBoundingClientRect().right, one]);
    const [right, element] = far.reduce((best, one) => (one[0] > best[0] ? one : best));
    return `${element.tagName.toLowerCase()}.${element.className}, to ${right}`;
  });
}

/**
 * Press Tab from the page's beginning to its end. Returns {stops, missed: what can be used and was not reached, unseen: stops whose focus
 * does not show or that are not in the window, backwards: stops that come before the one before in the document}.
 */
async function walk(page) {
  const wanted = await page.evaluate(() => {
    const usable = "a[href], button, input, select, textarea, summary, video[controls], [tabindex]";
    const isShown = (one) => one.checkVisibility({ visibilityProperty: true }) && one.getClientRects().length > 0;
    const groups = new Set();
    let number = 0;
    for (const one of document.querySelectorAll(usable)) {
      delete one.dataset.walk;
      if (one.disabled || one.tabIndex < 0 || !isShown(one)) continue;
      if (one.type === "radio") {
        // Of a group one is reached, and the others from there by the arrow keys.
        const chosen = document.querySelector(`input[type=radio][name="${one.name}"]:checked`) ?? one;
        if (one !== chosen || groups.has(one.name)) continue;
        groups.add(one.name);
      }
      one.dataset.walk = String(number++);
    }
    document.activeElement?.blur();
    window.getSelection()?.removeAllRanges();
    window.scrollTo(0, 0);
    document.body.tabIndex = -1; // from here the walk begins
    document.body.focus();
    return number;
  });
  const stops = [];
  const unseen = [];
  const backwards = [];
  while (stops.length < MOST_STOPS) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const one = document.activeElement;
      if (!one || one === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      const around = one.closest("label") ?? one;
      const label = getComputedStyle(around);
      const outlined = (style, width) => style !== "none" && parseFloat(width) >= 2;
      const box = (one.type === "file" ? around : one).getBoundingClientRect();
      const inside = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth && box.width > 0 && box.height > 0;
      const middle = document.elementFromPoint(
        (Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2,
        (Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2,
      );
      const hidden = middle && !(one.contains(middle) || middle.contains(one) || around.contains(middle));
      return {
        number: one.dataset.walk === undefined ? null : Number(one.dataset.walk),
        name: `${one.tagName.toLowerCase()} ${one.getAttribute("aria-label") ?? one.textContent.trim().slice(0, 40)}`,
        outlined: outlined(outlineStyle, outlineWidth) || outlined(label.outlineStyle, label.outlineWidth),
        inside,
        behind: hidden ? `${middle.tagName.toLowerCase()}.${middle.className}` : null,
      };
    });
    if (!stop || (stops.length && stop.number === stops[0].number && stop.name === stops[0].name)) break;
    if (!stop.outlined || !stop.inside || stop.behind) unseen.push(stop);
    const before = stops.at(-1)?.number ?? -1;
    if (stop.number !== null && stop.number <= before) backwards.push(stop.name);
    stops.push(stop);
  }
  const reached = new Set(stops.map(({ number }) => number));
  const missed = await page.evaluate(
    (gone) =>
      [...document.querySelectorAll("[data-walk]")]
        .filter((one) => !gone.includes(Number(one.dataset.walk)))
        .map((one) => `${one.tagName.toLowerCase()} ${one.getAttribute("aria-label") ?? one.textContent.trim().slice(0, 40)}`),
    [...reached],
  );
  await page.evaluate(() => {
    document.activeElement?.blur();
    document.body.removeAttribute("tabindex");
    window.scrollTo(0, 0);
  });
  return { wanted, stops: stops.length, missed, unseen, backwards };
}
