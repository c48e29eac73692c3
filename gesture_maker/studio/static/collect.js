// The page collect: a camera, and classes as cards into which it records; see collect_*.js for its parts.

import { get, post } from "./api.js";
import { makeCard } from "./collect_card.js";
import { makeDeleted } from "./collect_deleted.js";
import { makeEye } from "./collect_eye.js";
import { holdSpace } from "./collect_hold.js";
import { makeNameForm } from "./collect_name.js";
import { makePhotos } from "./collect_photos.js";
import { makeRecorder } from "./collect_record.js";
import { makeStatus } from "./collect_status.js";
import { upload } from "./collect_upload.js";
import { el, perFrame } from "./dom.js";
import { dropTarget } from "./drop.js";
import { on } from "./events.js";
import { notice, problem } from "./notices.js";
import { t, count } from "./texts.js";

const RATE = 5; // photos per second: a hand that is turned slowly looks visibly different after a fifth of a second
const MAX_RATE = 10;

/** Build the page into `root`. */
export function mount(root) {
  const cards = new Map(); // label -> card
  const undone = []; // what can be undone by Ctrl+Z, the last at the end
  let dataset = null;
  let selected = null;
  let here = false;
  let gone = false;
  let renaming = 0; // meanwhile what is told of the dataset may be from before or after

  const render = perFrame(draw);
  const actions = { select, begin, end, open, rename, remove: removeClass, labels, refresh };
  const eye = makeEye({
    onkept: (number, answer) => recorder.kept(number, answer),
    onrefused: (numbers) => recorder.refused(numbers),
    onlost: () => recorder.lost(),
    onchange: cameraChanged,
  });
  const rate = el("input", { type: "range", min: 1, max: MAX_RATE, step: 1, value: RATE, oninput: rateChanged });
  const rateShown = el("output", { class: "number" }, String(RATE));
  const recorder = makeRecorder({
    take: eye.take,
    rate: () => Number(rate.value),
    base: (label) => classOf(label)?.photos ?? 0,
    refresh,
    onchange: render,
    onend: render,
  });
  const status = makeStatus({ takeBack: ({ files }) => remove(files) });
  const intro = el("p", { class: "intro", hidden: true }, t("collect.intro"));
  const trouble = el("p", { class: "warn problem", role: "alert", hidden: true });
  const loading = el("p", { class: "note" }, t("collect.loading"));
  const uploads = el("div", { class: "uploads" });
  const adding = makeNameForm({
    name: t("collect.add.name"),
    button: t("collect.add.button"),
    placeholder: t("collect.add.example"),
    labels,
    save: add,
  });
  const list = el(
    "ul",
    { class: "cards" },
    el("li", { class: "card add" }, el("h3", {}, t("collect.add.title")), adding.element),
  );
  const classes = el(
    "section",
    { class: "classes" },
    el("h2", {}, t("collect.classes")),
    loading,
    list,
    el("p", { class: "note" }, t("collect.dropPage")),
  );
  const photos = makePhotos({ begin, end, back: () => (location.hash = "collect"), deleted: undoable });
  const deleted = makeDeleted({ onback: forget });
  const left = el(
    "div",
    { class: "camera-side" },
    eye.element,
    el("label", { class: "rate" }, t("collect.rate"), rate, rateShown),
    status.element,
  );
  const right = el("div", { class: "class-side" }, classes, photos.element, deleted.element);
  const title = el("h1", {}, t("shell.tabs.collect"));
  root.append(title, trouble, intro, uploads, el("div", { class: "split" }, left, right));
  document.body.style.setProperty("--drop", JSON.stringify(t("collect.upload.dropAll")));

  on("dataset", apply);
  on("gone", () => setGone(true));
  on("back", () => {
    setGone(false);
    refresh();
  });
  window.addEventListener("hashchange", route);
  window.addEventListener("blur", end);
  document.addEventListener("visibilitychange", () => document.hidden && end());
  window.addEventListener("keydown", undoByKey);
  root.addEventListener("click", refuse, true);
  holdSpace({ open: () => here && dataset !== null, begin: () => begin(photos.label ?? selected), end });
  dropTarget(document.body, {
    open: () => here && !gone,
    ondrop: (files) => upload(uploads, null, files).then(refresh),
  });
  return { show, hide };

  function show() {
    here = true;
    eye.resume();
    refresh();
    route();
  }

  function hide() {
    here = false;
    end();
    eye.pause();
  }

  function rateChanged() {
    rateShown.value = rate.value;
  }

  function labels() {
    return dataset?.classes.map(({ label }) => label) ?? [];
  }

  function classOf(label) {
    return dataset?.classes.find((one) => one.label === label);
  }

  /** Ask for the dataset as it is now; when the studio is gone, the shell says so. */
  function refresh() {
    return get("/api/dataset").then(apply, (error) => error.status && say(error.message));
  }

  /** Say what is wrong with the dataset, or nothing. */
  function say(sentence) {
    trouble.hidden = !sentence;
    if (trouble.textContent !== sentence) trouble.textContent = sentence;
  }

  function apply(told) {
    if (renaming) return;
    say(told.problem ?? "");
    const first = dataset === null;
    dataset = told;
    const there = labels();
    for (const [label, card] of cards) {
      if (there.includes(label)) continue;
      if (card.element.contains(document.activeElement)) adding.input.focus();
      card.element.remove();
      cards.delete(label);
    }
    let before = null;
    for (const label of there) {
      if (!cards.has(label)) cards.set(label, makeCard(label, actions));
      const { element } = cards.get(label);
      const place = before ? before.nextSibling : list.firstChild;
      if (element !== place) list.insertBefore(element, place);
      before = element;
    }
    if (!there.includes(selected)) selected = there.find((label) => label !== "none") ?? there[0] ?? null;
    loading.hidden = true;
    if (gone) setGone(true);
    if (first || (photos.label && !there.includes(photos.label))) route();
    draw();
  }

  function draw() {
    if (!dataset) return;
    const recording = recorder.press?.label ?? null;
    for (const told of dataset.classes) {
      const how = {
        photos: recorder.shown(told.label, told.photos),
        selected: told.label === selected,
        recording: told.label === recording,
      };
      cards.get(told.label)?.update(told, how);
      if (told.label === photos.label) photos.update(told, how);
    }
    intro.hidden = dataset.classes.some((told) => told.photos > 0) || Boolean(recorder.last);
    deleted.update(dataset.deleted);
    const camera = Boolean(eye.stage.camera);
    status.update(recorder, { camera, ready: eye.ready, selected: photos.label ?? selected });
    root.classList.toggle("live", camera);
    if (recorder.press) render(); // the clock of what is read out goes on
  }

  /** Show what the address asks for: the cards, or the photos of one class. */
  function route() {
    if (!here || !dataset) return;
    const [step, query] = location.hash.slice(1).split("?");
    if (step && step !== "collect") return;
    const asked = new URLSearchParams(query);
    const label = asked.get("class");
    if (label !== null && classOf(label)) {
      selected = label;
      classes.hidden = true;
      photos.open(label, asked.has("unusable"));
    } else {
      const before = photos.label;
      if (label !== null) history.replaceState(null, "", "#collect");
      if (before === null) return;
      photos.close();
      classes.hidden = false;
      cards.get(before)?.focus();
    }
    draw();
  }

  /** Show the photos of a class; `unusable`: those without a usable hand. */
  function open(label, unusable) {
    const query = new URLSearchParams({ class: label, ...(unusable ? { unusable: "" } : {}) });
    location.hash = `collect?${query}`;
  }

  function select(label) {
    selected = label;
    draw();
  }

  function begin(label) {
    if (label === null || gone) return;
    selected = label;
    if (!eye.stage.camera) eye.start().catch(problem); // no more: is it still held when it is on?
    else if (eye.connected) recorder.begin(label);
    render();
  }

  function end() {
    recorder.end();
    render();
  }

  function cameraChanged() {
    if (!eye.stage.camera) recorder.end();
    render();
  }

  async function add(name) {
    const { label } = await post("/api/classes/add", { label: name });
    adding.input.value = "";
    selected = label;
    await refresh();
    status.say(t("collect.add.done", { label }));
    cards.get(label)?.element.scrollIntoView({ block: "nearest" });
  }

  async function rename(before, to) {
    end();
    renaming += 1;
    try {
      const { label } = await post("/api/classes/rename", { label: before, to });
      const card = cards.get(before);
      if (card && !cards.has(label)) {
        cards.delete(before);
        cards.set(label, card);
        card.relabel(label);
      }
      if (selected === before) selected = label;
      status.say(t("collect.renamed", { before, label }));
    } finally {
      const told = await get("/api/dataset").catch(() => null);
      renaming -= 1;
      if (told) apply(told);
    }
  }

  async function removeClass(label) {
    if (recorder.press?.label === label) end();
    const next = labels()[labels().indexOf(label) + 1] ?? labels()[labels().indexOf(label) - 1];
    try {
      const answer = await post("/api/classes/delete", { label });
      cards.get(next)?.focus();
      undoable(answer, count("collect.removed", answer.photos, { label }));
    } catch (error) {
      problem(error);
    }
    await refresh();
  }

  async function remove(files) {
    try {
      const answer = await post("/api/photos/delete", { files });
      recorder.last = null;
      undoable(answer, count("collect.view.removed", answer.photos));
    } catch (error) {
      problem(error);
    }
  }

  /** Offer the way back from what was deleted. */
  function undoable({ undo }, text) {
    if (undo) undone.push(undo);
    notice(text, undo ? { undo: () => bringBack(undo) } : {});
    refresh();
  }

  async function bringBack(undo) {
    const answer = await post("/api/undo", { undo }).finally(() => forget(undo));
    notice(count("collect.deleted.done", answer.photos));
  }

  /** A deletion was undone. */
  function forget(undo) {
    if (undone.includes(undo)) undone.splice(undone.indexOf(undo), 1);
    return refresh();
  }

  function undoByKey(event) {
    if (!here || gone || !undone.length || event.shiftKey || event.key.toLowerCase() !== "z") return;
    if (!(event.ctrlKey || event.metaKey) || event.target.closest?.("input[type=text], textarea")) return;
    event.preventDefault();
    bringBack(undone.at(-1)).catch(problem);
  }

  /** While the studio is gone nothing that needs it can be pressed; the focus stays where it is. */
  function setGone(is) {
    gone = is;
    if (is) end();
    for (const button of root.querySelectorAll("[data-server]")) {
      if (is) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
  }

  function refuse(event) {
    if (!event.target.closest?.("[data-server][aria-disabled=true]")) return;
    event.preventDefault();
    event.stopPropagation();
  }
}
