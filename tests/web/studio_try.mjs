// The page Try in Chromium: a camera that shows several gestures, files that are dropped, connections that break.
//
//     node studio_try.mjs PLAN.json
//
// PLAN: {work: the name of a function below, address, film, gestures, photo, video, …}. Prints JSON: {answer, said, errors, refused}.

import { readFileSync } from "node:fs";
import { withStudio } from "./studio.mjs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const large = ".try .try-gesture";
const works = { camera, files, nothing };
process.stdout.write(JSON.stringify(await works[plan.work]()));

function shows(page, text) {
  return page.waitForFunction(([place, wanted]) => document.querySelector(place).textContent === wanted, [large, text]);
}

/** Runs in the page before its own scripts: keeps its sockets, counts the frames that are sent, and what is read out. */
function watch() {
  const Native = window.WebSocket;
  window.kept = { sockets: [], sent: 0, spoken: [] };
  window.WebSocket = class extends Native {
    constructor(...given) {
      super(...given);
      if (String(given[0]).includes("/ws/try")) window.kept.sockets.push(this);
    }

    send(data) {
      window.kept.sent += 1;
      super.send(data);
    }
  };
}

/** The gestures of a film that shows one after the other; frozen, hidden, another page, broken connection, camera lost. */
function camera() {
  return withStudio(plan.address, { film: plan.film }, async (page) => {
    const seen = {};
    const counted = () => page.evaluate(() => window.kept.sent);
    const more = async () => {
      const before = await counted();
      await page.waitForFunction((n) => window.kept.sent > n + 2, before);
    };
    /** Return how many frames are sent in a while in which six would be, once those under way have been. */
    const sentWhile = async () => {
      await page.waitForTimeout(300);
      const before = await counted();
      await page.waitForTimeout(300);
      return (await counted()) - before;
    };
    await page.addInitScript(watch);
    await page.reload();
    await page.click('#tabs a[href="#try"]');
    await page.waitForSelector(".try-ground:not([hidden])");
    seen.runs = await page.$$eval("#try-run option", (all) => all.map((one) => one.textContent));
    await page.evaluate(() => {
      const place = document.querySelector(".try-answer [role=status]");
      new MutationObserver(() => window.kept.spoken.push(place.textContent)).observe(place, { childList: true });
    });
    await page.click(".try .stage .controls button.primary");
    for (const gesture of plan.gestures) {
      await shows(page, gesture);
      await page.waitForFunction((wanted) => document.querySelector(".try-bars .winner .try-label")?.textContent === wanted, gesture);
    }
    seen.bars = await page.$$eval(".try-hand:first-child .try-label", (all) => all.map((one) => one.textContent));
    seen.hand = await page.textContent(".try-hand h2");
    await page.waitForFunction((wanted) => wanted.every((one) => window.kept.spoken.includes(one)), plan.gestures);
    await page.waitForFunction(() => /\d+ frames\/s · \d+ ms/.test(document.querySelector(".try-numbers").textContent));

    const freeze = page.locator(".try .stage button[aria-pressed]");
    await freeze.focus();
    await page.keyboard.press("Space");
    seen.frozen = [await freeze.getAttribute("aria-pressed"), await page.$eval(".try .stage video", (video) => video.paused), await sentWhile()];
    await page.keyboard.press("Space");
    await more();

    await page.evaluate(() => Object.defineProperty(document, "hidden", { value: true, configurable: true }));
    seen.hidden = await sentWhile();
    await page.evaluate(() => delete document.hidden);
    await more();

    await page.evaluate(() => window.kept.sockets.at(-1).close()); // as when the studio goes
    await page.waitForFunction(() => window.kept.sockets.length === 2);
    await more();

    await page.selectOption("#try-run", plan.other);
    await page.waitForFunction((run) => window.kept.sockets.at(-1).url.endsWith(`run=${run}`), plan.other);
    await more();
    await page.selectOption("#try-run", plan.broken);
    await page.waitForSelector(".try-state.bad-text");
    seen.refused = await page.textContent(".try-state");
    await page.selectOption("#try-run", plan.other);
    await more();
    seen.task = await page.getAttribute(".try-downloads a.primary", "href");

    await page.click('#tabs a[href="#play"]');
    seen.elsewhere = await sentWhile();
    await page.click('#tabs a[href="#try"]');
    await page.waitForSelector(".try .stage video"); // goes on by itself
    await more();

    await page.evaluate(() => document.querySelector(".try .stage video").srcObject.getVideoTracks()[0].dispatchEvent(new Event("ended")));
    await page.waitForSelector(".try .stage .message");
    seen.lost = await page.textContent(".try .stage .message");
    seen.open = await page.evaluate(() => window.kept.sockets.filter((one) => one.readyState <= 1).length);
    await page.click(".try .stage .controls button.primary");
    await more();
    return seen;
  });
}

/** A photo and a video that are dropped or chosen, and files that are neither. */
function files() {
  return withStudio(plan.address, { hash: "try" }, async (page) => {
    const seen = {};
    await page.waitForSelector(".try-ground:not([hidden])");
    await drop(page, plan.photo, "image/jpeg");
    await shows(page, plan.gesture);
    seen.photo = await page.evaluate(() => {
      const [picture, overlay] = document.querySelectorAll(".try-viewer > *");
      const inked = overlay.getContext("2d").getImageData(0, 0, overlay.width, overlay.height).data.some((value) => value > 0);
      return { alt: picture.alt, shown: picture.naturalWidth > 0 && picture.getBoundingClientRect().width > 100, inked };
    });
    seen.said = await page.textContent(".try-answer [role=status]");

    await page.setInputFiles(".try input[type=file]", plan.bad);
    await page.waitForSelector(".try-state.bad-text");
    seen.bad = await page.textContent(".try-state");

    await page.setInputFiles(".try input[type=file]", plan.video);
    await page.waitForFunction(() => document.querySelector(".try-working")?.hidden);
    seen.done = await page.textContent(".try-film [role=status]");
    await page.click(".try-stretches button");
    await shows(page, plan.gesture);
    seen.stretch = await page.textContent(".try-stretches button");
    seen.length = await page.$eval(".try-film video", (video) => video.duration);
    await page.$eval(".try-film video", (video) => video.pause());
    const slider = page.locator(".try-slider input");
    await slider.focus();
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.querySelector(".try-film video").currentTime === 0);
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.querySelector(".try-film video").currentTime > 0);
    seen.value = await slider.getAttribute("aria-valuetext");

    await page.setInputFiles(".try input[type=file]", plan.long);
    await page.waitForFunction(() => document.querySelector(".try-working progress").value > 3);
    await page.click(".try-working button");
    await page.waitForFunction(() => document.querySelector(".try-working").hidden);
    seen.cancelled = await page.textContent(".try-film [role=status]");
    await page.click(".try-drop button:nth-of-type(2)");
    seen.back = [await page.isVisible(".try .stage"), await page.$$eval(".try-place > *", (all) => all.length)];
    for (const hash of ["#play", `#try?run=${plan.other}`]) await page.evaluate((one) => (location.hash = one), hash);
    await page.waitForFunction((run) => document.querySelector("#try-run").value === run, plan.other);
    return seen;
  });
}

/** No run that can be tried, until one is trained. */
function nothing() {
  return withStudio(plan.address, { hash: "try", allowed: false }, async (page) => {
    const link = page.locator('.try a[href="#train"]');
    await link.waitFor();
    console.error("ready"); // the test puts a run in place
    await page.waitForSelector(".try-ground:not([hidden])");
    return { hidden: !(await link.isVisible()), run: await page.$eval("#try-run", (choice) => choice.value) };
  });
}

async function drop(page, file, type) {
  const bytes = readFileSync(file).toString("base64");
  const transfer = await page.evaluateHandle(
    ([text, kind]) => {
      const content = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const held = new DataTransfer();
      held.items.add(new File([content], "hand.jpg", { type: kind }));
      return held;
    },
    [bytes, type],
  );
  await page.dispatchEvent(".try-ground", "dragover", { dataTransfer: transfer });
  await page.dispatchEvent(".try-ground", "drop", { dataTransfer: transfer });
}
