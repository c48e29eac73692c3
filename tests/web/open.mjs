// Opens a page of a folder in Chromium and tells what it said.
//
//     node open.mjs FOLDER PAGE.html
//
// `node_modules/` in the page's addresses is the one beside this file. Waits until the page sets its title to "done", and
// prints JSON: {said: [{kind, text}], errors, missing, refused}.

import path from "node:path";
import { fileURLToPath } from "node:url";
import { withPage } from "./browser.mjs";
import { serve } from "./server.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const [folder, file] = process.argv.slice(2);
if (!folder || !file) {
  console.error("usage: node open.mjs FOLDER PAGE.html");
  process.exit(2);
}
const server = await serve({ "/": folder, "/node_modules/": path.join(here, "node_modules") });
try {
  const { said, errors, refused } = await withPage(server.address, async (page) => {
    await page.goto(`${server.address}/${file}`);
    await page.waitForFunction(() => document.title === "done", null, { timeout: 120_000 });
  });
  process.stdout.write(JSON.stringify({ said, errors, refused, missing: server.missing }));
} finally {
  await server.close();
}
