// The studio's page in Chromium, with a fake camera that shows a film.

import { chromium } from "playwright-core";
import { FLAGS, findChromium } from "./browser.mjs";

// The page needs no WebGL, and on a machine without a graphics card a software one takes a whole core to show a camera.
const PLAIN = [...FLAGS.filter((flag) => !flag.includes("swiftshader")), "--disable-gpu"];

/** Return the path of an address, or "" where there is none: what a page says is not always about a request. */
function pathOf(address) {
  return URL.canParse(address) ? new URL(address).pathname : "";
}

/**
 * Open the studio at the address that it printed, give its page to `work`, and return what that returns, with what the page said.
 *
 * `film`: a Y4M file (tests/cameras.py: camera_film) that the fake camera shows over and over; without one there is no camera.
 * `hash`: the step, such as "train"; `width`, `height`: of the window; `scheme`: light or dark; `allowed`: whether the page may
 * use the camera; `bypass`: let scripts be injected that the page's policy forbids; `more`: settings of the browser's context.
 * `said`: warnings and errors of the console, each with the path that it is about; `errors`: what was thrown
 * and not caught; `refused`: hosts that were asked for.
 */
export async function withStudio(address, options, work) {
  const { film, hash = "", width = 1280, height = 900, scheme = "light", allowed = true, bypass = false, more = {} } = options;
  const executablePath = findChromium();
  if (!executablePath) throw new Error("No Chromium is on the path. Name one by CHROMIUM.");
  const camera = film ? ["--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${film}`] : [];
  const browser = await chromium.launch({ executablePath, args: [...PLAIN, ...camera] });
  try {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: scheme,
      bypassCSP: bypass,
      permissions: allowed ? ["camera"] : [],
      ...more,
    });
    const refused = new Set();
    const { origin, host } = new URL(address);
    await context.route(
      (url) => url.origin !== origin && url.host !== host && url.protocol !== "blob:",
      (route) => {
        refused.add(new URL(route.request().url()).host);
        return route.abort();
      },
    );
    const page = await context.newPage();
    const said = [];
    const errors = [];
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      said.push({ kind: message.type(), text: message.text(), about: pathOf(message.location().url) });
    });
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(address);
    await page.waitForSelector("#content > section");
    if (hash) {
      await page.click(`#tabs a[href="#${hash}"]`);
      await page.waitForSelector(`#content > section.${hash}:not([hidden])`);
    }
    const answer = await work(page, context);
    return { answer, said, errors, refused: [...refused].sort(), browser: `Chromium ${browser.version()}` };
  } finally {
    await browser.close();
  }
}
