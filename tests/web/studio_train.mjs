// The page "Train" of a studio, used as a person would, in Chromium. Its answer goes to stdout as JSON.
//
// node studio_train.mjs ADDRESS FOLDER   (FOLDER takes what is downloaded)

import path from "node:path";
import { withStudio } from "./studio.mjs";

const [address, folder] = process.argv.slice(2);
const FAST = { augment: "no", background: "no", mirror: "no", epochs: "4", steps_per_epoch: "20" };
const PATIENCE = { timeout: 120_000 };

const told = await withStudio(address, { hash: "train" }, async (page, context) => {
  const found = {};
  page.setDefaultTimeout(PATIENCE.timeout);
  const train = page.locator("section.train");
  const text = (selector) => train.locator(selector).allInnerTexts();
  const button = page.getByRole("button", { name: "Train", exact: true });
  const jobDone = () => page.waitForFunction(() => document.querySelector(".job h2 + div").hidden, null, PATIENCE);

  // What will be trained on, and the settings with what they are when nothing is set.
  await train.locator(".train-button:not([disabled])").waitFor();
  found.classes = await text(".classes tbody tr");
  await train.locator(".advanced > summary").click();
  found.placeholder = await page.getByLabel("epochs", { exact: true }).getAttribute("placeholder");
  found.help = await page.getByLabel("epochs", { exact: true }).evaluate((input) => document.getElementById(input.getAttribute("aria-describedby")).textContent);
  await page.getByLabel("recipe", { exact: true }).selectOption("stock");
  found.placeholderOfStock = await page.getByLabel("epochs", { exact: true }).getAttribute("placeholder");
  await page.getByLabel("Reset recipe").click();
  found.focusAfterReset = await page.evaluate(() => document.activeElement.tagName);

  // A setting that cannot be is told beside the form, and nothing is begun.
  await page.getByLabel("epochs", { exact: true }).fill("many");
  await button.click();
  await page.waitForFunction(() => document.querySelector(".train form [role=alert]").textContent);
  found.refused = (await text("form [role=alert]"))[0];
  found.jobBefore = await train.locator(".job").isVisible();

  // A training by a click, seen alike after a reload and on a second page.
  for (const [name, value] of Object.entries(FAST)) {
    const field = page.getByLabel(name, { exact: true });
    if (value === "no") await field.selectOption(value);
    else await field.fill(value);
  }
  await button.press("Enter");
  await train.locator(".stages .now").waitFor();
  found.busy = await button.isDisabled();
  const second = await context.newPage();
  await second.goto(page.url());
  await second.locator("section.train .stages .now").waitFor();
  await second.close();
  await page.reload();
  await train.locator(".job .curve .line").first().waitFor();
  found.curve = await train.locator(".job .curve").first().getAttribute("aria-label");
  found.progress = await train.locator(".job progress").getAttribute("aria-label");
  await jobDone();
  found.ended = (await text(".job"))[0];
  found.kept = await page.getByLabel("epochs", { exact: true }).inputValue();

  // What came of it.
  await train.locator(".result h2", { hasText: "“small”" }).waitFor();
  await train.locator(".suspects img").first().waitFor();
  found.estimate = (await text(".estimate"))[0];
  found.matrix = await train.locator(".result .matrix tbody tr").evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
  found.shaded = await train.locator(".result .matrix td.right.shade-10").first().evaluate((cell) => getComputedStyle(cell).backgroundColor);
  found.suspects = await text(".suspects figcaption");
  await page.waitForFunction(() => [...document.querySelectorAll(".suspects img")].some((image) => image.naturalWidth));
  found.advice = (await text(".result .sentences li")).length;
  const coming = page.waitForEvent("download");
  await page.getByRole("link", { name: "Gesture recognizer (.task)" }).click();
  const download = await coming;
  found.download = download.suggestedFilename();
  await download.saveAs(path.join(folder, found.download));

  // A training that is cancelled can be continued from the list.
  await train.locator(".advanced > summary").click();
  await page.getByLabel("epochs", { exact: true }).fill("60");
  await page.getByLabel("steps_per_epoch", { exact: true }).fill("40");
  await page.getByLabel("estimate", { exact: true }).selectOption("no");
  await page.getByLabel("name", { exact: true }).fill("<b>slow</b> & co".replace("/", "")); // a name is text, never markup
  await button.click();
  await train.locator(".job .curve .line").first().waitFor();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await jobDone();
  found.cancelled = (await text(".job h2 + div + div"))[0];
  const slow = train.locator('.run[data-run="<b>slow<b> & co"]');
  found.unfinished = (await slow.innerText()).includes("unfinished");
  await slow.getByRole("button", { name: /Continue/ }).click();
  await train.locator(".result h2", { hasText: "slow" }).waitFor();
  await jobDone();
  found.continued = (await text(".estimate"))[0];
  await train.locator("button:not([disabled])", { hasText: "Look for doubtful photos" }).waitFor(); // it was trained without

  // Two runs side by side; a run is removed and comes back.
  await page.getByLabel("Compare small", { exact: true }).check();
  await page.getByLabel("Compare first", { exact: true }).check();
  await train.locator(".compared").waitFor();
  found.compared = Object.fromEntries(
    await train.locator(".compared > .scroll tbody tr").evaluateAll((rows) => rows.map((row) => [row.children[0].textContent, [row.children[1].textContent, row.children[2].textContent]])),
  );
  found.matrices = await train.locator(".compared .matrix").count();
  await page.getByRole("button", { name: "Remove first" }).click();
  await train.locator('.run[data-run="first"]').waitFor({ state: "detached" });
  found.comparedAfter = await train.locator(".compared").count();
  await page.getByRole("button", { name: "Undo" }).click();
  await train.locator('.run[data-run="first"]').waitFor();
  await page.getByRole("button", { name: "Show first", exact: true }).click();
  await train.locator(".result h2", { hasText: "“first”" }).waitFor();

  // Narrow, with everything open.
  await page.setViewportSize({ width: 360, height: 740 });
  await train.locator("details").evaluateAll((all) => all.forEach((one) => (one.open = true)));
  found.width = await page.evaluate(() => document.documentElement.scrollWidth);
  found.small = await train
    .locator("button:visible, a.button:visible, summary:visible")
    .evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().height < 40).map((one) => one.textContent));
  return found;
});
console.log(JSON.stringify(told));
