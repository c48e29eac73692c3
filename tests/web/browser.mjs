// A page in Chromium, which reaches this machine's own server and nothing else.

import { accessSync, constants } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

export const FLAGS = [
  "--no-sandbox", // the machines that run tests are often root in a container, where the sandbox cannot start
  "--disable-dev-shm-usage", // containers have 64 MB there
  "--force-color-profile=srgb", // photos are shown with the numbers that are in them
  "--use-angle=swiftshader", // WebGL without a graphics card, the same on every machine
  "--enable-unsafe-swiftshader",
];

/** @returns {string | undefined} the program: the environment's CHROMIUM, or the first of the usual names on the path. */
export function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const places = (process.env.PATH ?? "").split(path.delimiter).filter(Boolean);
  for (const file of NAMES.flatMap((name) => places.map((place) => path.join(place, name)))) {
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // not here
    }
  }
  return undefined;
}

/**
 * Open a page, give it to `work`, and return what that returns, with what the page said and asked for.
 * `said`: lines of the console by kind; `errors`: what was thrown and not caught; `refused`: hosts it was kept from.
 */
export async function withPage(address, work) {
  const executablePath = findChromium();
  if (!executablePath) throw new Error(`No Chromium: none of ${NAMES.join(", ")} is on the path. Name one by CHROMIUM.`);
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  try {
    const context = await browser.newContext();
    const refused = new Set();
    await context.route(
      (url) => url.origin !== new URL(address).origin,
      (route) => {
        refused.add(new URL(route.request().url()).host);
        return route.abort();
      },
    );
    const page = await context.newPage();
    const said = [];
    const errors = [];
    page.on("console", (message) => said.push({ kind: message.type(), text: message.text() }));
    page.on("pageerror", (error) => errors.push(String(error)));
    const answer = await work(page);
    return { answer, said, errors, refused: [...refused].sort(), browser: `Chromium ${browser.version()}` };
  } finally {
    await browser.close();
  }
}
