// The page collect in Chromium, as a person uses it with mouse, keyboard and files.
//
//     node studio_collect.mjs PLAN.json
//
// PLAN: {work: the name of a function below, …what it needs}. Prints JSON: {answer, said, errors, refused}.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync } from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { withStudio } from "./studio.mjs";
import { addClass, card, photosOf, record, startCamera } from "./studio_steps.mjs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const PATIENCE = 120_000; // milliseconds; only for a broken page, or a machine with much else to do
const works = { recording, files, goneAndBack, withoutCamera };
process.stdout.write(JSON.stringify(await works[plan.work]()));

/** Open the studio's page, see studio.mjs, with patience. */
function open(address, options, work) {
  return withStudio(address, options, (page, context) => {
    page.setDefaultTimeout(PATIENCE);
    return work(page, context);
  });
}

/** Wait until a function of the page, given `values`, answers with something true, and return that. */
async function until(page, work, ...values) {
  const handle = await page.waitForFunction(work, values);
  return handle.jsonValue();
}

/** Wait until the card of a class counts more than a number of photos. */
function counts(page, label, more) {
  const selector = `.collect .card.class[data-label="${label}"] .photos`;
  const counted = ([place, n]) => Number(document.querySelector(place).textContent.match(/\d+/)[0]) > n;
  return until(page, counted, selector, more);
}

/** Wait until a class has a number of photos, as the studio tells, not as the page counts them. */
async function confirmed(page, label, n) {
  const told = async () => (await dataset(page)).classes.find((one) => one.label === label)?.photos;
  for (let left = PATIENCE / 50; (await told()) !== n; left -= 1) {
    if (!left) throw new Error(`${label} has ${await told()} photos, not ${n}`);
    await page.waitForTimeout(50);
  }
}

function dataset(page) {
  return page.evaluate(() => fetch("/api/dataset").then((answer) => answer.json()));
}

async function classOf(page, label) {
  return (await dataset(page)).classes.find((one) => one.label === label);
}

/** Names with and without mistakes, presses by mouse and keyboard, photos that are deleted and brought back by the keyboard. */
function recording() {
  return open(plan.address, { film: plan.film }, async (page) => {
    const seen = {};
    const field = page.locator(".collect .add input");
    const problem = page.locator(".collect .add [role=alert]");
    await page.locator(".collect .intro").waitFor(); // once the dataset is known
    seen.intro = await page.locator(".collect .intro").textContent();
    seen.names = [];
    for (const name of ["  ", "left/right", ".hidden", "NONE"]) {
      await field.fill(name);
      await field.press("Enter");
      await problem.filter({ hasText: /./ }).waitFor();
      seen.names.push(await problem.textContent());
      seen.names.push(await field.getAttribute("aria-invalid"));
    }
    await addClass(page, "vïctory");
    await addClass(page, "other");
    seen.invalid = await field.getAttribute("aria-invalid");
    await card(page, "vïctory").locator("input[type=radio]").check();

    await startCamera(page);
    await until(page, () => {
      const overlay = document.querySelector(".collect .stage .overlay");
      const canvas = document.createElement("canvas"); // a copy, or Chromium would complain of slow pixels
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(overlay, 0, 0, canvas.width, canvas.height);
      return context.getImageData(0, 0, canvas.width, canvas.height).data.some((one) => one);
    });

    seen.mouse = await record(page, "vïctory", { photos: 4 });
    seen.afterMouse = await classOf(page, "vïctory");
    seen.space = await record(page, "vïctory", { photos: 4, by: "space" });
    seen.afterSpace = await classOf(page, "vïctory");
    const before = await photosOf(page, "vïctory");
    await card(page, "vïctory").locator("button.hold").click();
    await counts(page, "vïctory", before);
    await page.locator(".collect .status [data-act=take-back]").waitFor();
    seen.click = (await classOf(page, "vïctory")).photos - before;

    // The space bar in a field writes a space; what records ends when the window is left.
    await field.fill("");
    await field.press("Space");
    seen.typed = [await field.inputValue(), await page.locator(".collect .status.recording").count()];
    await field.fill("");
    const hold = card(page, "other").locator("button.hold");
    await hold.focus();
    await page.keyboard.down("Enter");
    await page.locator(".collect .status.recording").waitFor();
    seen.spoken = await page.locator(".collect .status [role=status]").textContent();
    await counts(page, "other", 0);
    await page.evaluate(() => window.dispatchEvent(new Event("blur")));
    await page.locator(".collect .status [data-act=take-back]").waitFor();
    seen.left = await page.locator(".collect .status.recording").count();
    await page.keyboard.up("Enter");

    // The press that was just made is taken back, and comes back by Ctrl+Z.
    const { photos: others } = await classOf(page, "other");
    await page.locator(".collect .status [data-act=take-back]").click();
    await confirmed(page, "other", 0);
    await page.locator(".notice button", { hasText: "Undo" }).last().waitFor(); // the page knows it, too
    await page.keyboard.press("Control+z");
    await confirmed(page, "other", others);

    // A photo is marked where no hand is: hold until the film, which loses its hand, has shown one.
    await record(page, "other", {
      photos: 1,
      meanwhile: () => card(page, "other").locator('.strip .thumb[data-state="unusable"] .badge').first().waitFor(),
    });
    seen.badge = await card(page, "other").locator('.strip [data-state="unusable"] .badge').first().textContent();
    await card(page, "other").locator("button.unusable").click();
    const tiles = page.locator(".collect .photo-grid li");
    await tiles.first().waitFor();
    seen.reasons = [...new Set(await tiles.locator(".why").allTextContents())];
    seen.filtered = [await tiles.count(), (await classOf(page, "other")).unusable];
    await page.keyboard.press("Escape");
    await card(page, "other").waitFor();
    seen.hash = await page.evaluate(() => location.hash);

    // By the keyboard alone: two photos are selected, deleted, and brought back.
    await card(page, "vïctory").locator("[data-act=open]").press("Enter");
    const { photos } = await classOf(page, "vïctory");
    await until(page, ([n]) => document.querySelectorAll(".collect .photo-grid li").length === n, photos);
    const newest = await tiles.evaluateAll((all) => all.slice(0, 2).map((one) => one.dataset.file));
    await tiles.first().locator("input").focus();
    await page.keyboard.press("Space");
    await page.keyboard.press("Shift+ArrowRight");
    seen.chosen = await page.locator(".collect .tools [role=status]").textContent();
    await page.keyboard.press("Delete");
    await until(page, ([n]) => document.querySelectorAll(".collect .photo-grid li").length === n, photos - 2);
    seen.focusStays = await page.evaluate(() => document.activeElement.closest(".photo-grid") !== null);
    seen.deleted = await page.evaluate(() => fetch("/api/deleted").then((answer) => answer.json()));
    seen.newest = newest;
    await page.keyboard.press("Control+z");
    await until(page, ([n]) => document.querySelectorAll(".collect .photo-grid li").length === n, photos);

    // In the list of what was deleted, too, after all were selected.
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Delete");
    await until(page, () => document.querySelectorAll(".collect .photo-grid li").length === 0);
    await page.locator(".collect .deleted summary").click();
    await page.locator(".collect .deleted [data-act=bring-back]").first().click();
    await confirmed(page, "vïctory", photos);
    await page.locator(".collect [data-act=back]").click();
    await card(page, "vïctory").waitFor();

    // Another name, by the keyboard; a class deleted and undone in the notice.
    await card(page, "vïctory").locator("[data-act=rename]").press("Enter");
    await page.keyboard.type("other");
    await page.keyboard.press("Enter");
    seen.taken = await card(page, "vïctory").locator("[role=alert]").textContent();
    await page.keyboard.press("Control+a");
    await page.keyboard.type("sieg ✌");
    await page.keyboard.press("Enter");
    await card(page, "sieg ✌").locator("[data-act=rename]").waitFor();
    seen.renamed = await classOf(page, "sieg ✌");
    await until(page, () => document.activeElement.dataset.act === "rename");
    await card(page, "other").locator("[data-act=delete]").press("Enter");
    await card(page, "other").waitFor({ state: "detached" });
    const last = await dataset(page);
    await page.locator(".notice button", { hasText: "Undo" }).last().press("Enter");
    await card(page, "other").waitFor();
    seen.classes = [last.classes.map(({ label }) => label), (await dataset(page)).classes.map(({ label }) => label)];
    return seen;
  });
}

/** Files chosen, dropped by a script, and dropped as from the system: a photo, a text, a zip, a folder of classes. */
function files() {
  return open(plan.address, {}, async (page, context) => {
    const seen = {};
    await addClass(page, "one");
    const told = (within) => within.locator(".upload .told").last();
    const chooser = page.waitForEvent("filechooser");
    await card(page, "one").getByRole("button", { name: "Add files" }).click();
    await (await chooser).setFiles([plan.photo, plan.text]);
    await told(card(page, "one")).waitFor();
    seen.chosen = await told(card(page, "one")).locator("p").textContent();
    seen.skipped = await told(card(page, "one")).locator("li").allTextContents();
    seen.afterChosen = (await classOf(page, "one")).photos;

    const zip = readFileSync(plan.zip).toString("base64");
    await card(page, "one").evaluate(async (element, content) => {
      const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], "more.zip", { type: "application/zip" }));
      for (const kind of ["dragenter", "dragover", "drop"]) {
        element.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer }));
      }
    }, zip);
    await page.waitForFunction(() => document.querySelectorAll(".collect .class .told").length === 2);
    seen.zip = await told(card(page, "one")).locator("p").textContent();

    const cdp = await context.newCDPSession(page);
    const place = await page.locator(".collect h1").boundingBox();
    const data = { items: [], files: [plan.folder], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await cdp.send("Input.dispatchDragEvent", { type, x: place.x + 5, y: place.y + 5, data });
      if (type === "dragOver") seen.over = await page.evaluate(() => document.body.classList.contains("over"));
    }
    const panel = page.locator(".collect > .uploads .told");
    await panel.waitFor();
    seen.folder = await panel.locator("p").textContent();
    await card(page, "left").waitFor();
    seen.classes = Object.fromEntries((await dataset(page)).classes.map(({ label, photos }) => [label, photos]));

    // Loose photos beside the cards belong to no class, and what is dropped does not make the browser leave the page.
    data.files = [plan.photo];
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await cdp.send("Input.dispatchDragEvent", { type, x: place.x + 5, y: place.y + 5, data });
    }
    await page.waitForFunction(() => document.querySelectorAll(".collect > .uploads .told").length === 2);
    seen.loose = await panel.last().locator("p").textContent();

    // A photo that somebody puts into the folder meanwhile is counted, without a word that is being typed getting lost.
    const field = page.locator(".collect .add input");
    await field.pressSequentially("half a na");
    await field.evaluate((element) => element.setSelectionRange(1, 3));
    copyFileSync(plan.other, path.join((await dataset(page)).path, "one", "by_hand.png"));
    await card(page, "one").locator(".photos", { hasText: "3 photos" }).waitFor();
    seen.typing = await page.evaluate(() => {
      const { value, selectionStart, selectionEnd } = document.activeElement;
      return [value, selectionStart, selectionEnd];
    });
    return seen;
  });
}

/** The studio ends while photos are recorded, and comes back at the same address. `plan.command` begins it. */
async function goneAndBack() {
  let served = await begin();
  try {
    const { address, stop } = served;
    return await open(address, { film: plan.film }, async (page) => {
      const seen = {};
      await addClass(page, "one");
      await startCamera(page);
      await record(page, "one", {
        photos: 2,
        meanwhile: async () => {
          await stop();
          await page.locator("#gone:not([hidden])").waitFor();
          await page.locator(".collect .status:not(.recording)").waitFor();
        },
      }).catch((error) => (seen.problem = String(error)));
      const hold = card(page, "one").locator("button.hold");
      seen.gone = await hold.getAttribute("aria-disabled");
      await hold.dispatchEvent("pointerdown", { button: 0, pointerId: 1 });
      seen.recordingWhileGone = await page.locator(".collect .status.recording").count();
      served = await begin();
      await page.locator("#gone[hidden]").waitFor({ state: "attached" });
      await page.locator('.collect button.hold[aria-disabled="true"]').first().waitFor({ state: "detached" });
      const kept = (await classOf(page, "one")).photos;
      seen.kept = kept;
      await card(page, "one").locator(".photos", { hasText: new RegExp(`^${kept} photo`) }).waitFor();
      await page.locator(".collect .status .line").filter({ hasNotText: "Getting ready" }).waitFor();
      await record(page, "one", { photos: 2 });
      seen.again = (await classOf(page, "one")).photos - kept;
      return seen;
    });
  } finally {
    await served.stop();
  }
}

async function begin() {
  const [program, ...values] = plan.command;
  const child = spawn(program, values, { cwd: plan.folder, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const address = line.match(/http:\/\/\S+/)?.[0];
    if (address) {
      return {
        address,
        async stop() {
          child.kill("SIGKILL"); // as when the machine ends it: nothing is said any more
          await ended;
        },
      };
    }
  }
  throw new Error("the studio printed no address");
}

/** What the page says where there is no camera, and where the browser may not use it. */
async function withoutCamera() {
  const told = {};
  for (const [name, options] of Object.entries({ none: {}, refused: { film: plan.film, allowed: false } })) {
    const seen = await open(plan.address, options, async (page) => {
      const message = page.locator(".collect .stage .message");
      await card(page, "none").locator("button.hold").click();
      await message.filter({ hasText: /No camera|not allowed/ }).waitFor();
      return [await message.textContent(), await page.locator(".collect .status.recording").count()];
    });
    told[name] = seen.answer;
    told.errors = [...(told.errors ?? []), ...seen.errors];
  }
  return { answer: told, errors: told.errors, said: [], refused: [] };
}
