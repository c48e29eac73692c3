// MLflow's own page in Chromium: an experiment's runs, a registered model with its versions and aliases.
//
//     node mlflow_ui.mjs PLAN.json
//
// PLAN: {address, width, height, folder, storage, pages: [{name, route, texts}]}. `storage`: what the browser's local storage has. Of
// each page, `route` after the #, waits until every one of `texts` is seen, and leaves `<name>.png` in `folder`. Prints JSON:
// {texts: by page what is seen, missing: by page what is not, errors, refused: other hosts that were asked for}.

import { readFileSync } from "node:fs";
import path from "node:path";
import { withPage } from "./browser.mjs";

const PATIENCE = 60_000; // ms; the page has 10 MB of scripts

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { answer, errors, refused } = await withPage(plan.address, async (page) => {
  await page.setViewportSize({ width: plan.width, height: plan.height });
  await page.addInitScript((storage) => {
    for (const [key, value] of Object.entries(storage)) localStorage.setItem(key, value);
  }, plan.storage);
  const seen = {};
  const missing = {};
  for (const { name, route, texts } of plan.pages) {
    // A query of its own, or only what is after the # would change, and the page before stay in sight.
    await page.goto(`${plan.address}/?page=${name}#${route}`, { timeout: PATIENCE });
    missing[name] = [];
    for (const text of texts) {
      const place = page.getByText(text).filter({ visible: true }).first();
      await place.waitFor({ timeout: PATIENCE }).catch(() => missing[name].push(text));
      if (missing[name].length) break;
    }
    await page.screenshot({ path: path.join(plan.folder, `${name}.png`) });
    seen[name] = await page.locator("body").innerText();
  }
  return { seen, missing };
});
console.log(JSON.stringify({ texts: answer.seen, missing: answer.missing, errors, refused }));
