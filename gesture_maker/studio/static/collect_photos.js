// All photos of one class: looked through page by page, selected, deleted, and what is wrong with each.

import { address, get, post } from "./api.js";
import { el, fill } from "./dom.js";
import { problem } from "./notices.js";
import { makeHold } from "./collect_hold.js";
import { makeSelection } from "./collect_select.js";
import { arrange, keyOf, makeThumb, stateOf } from "./collect_thumb.js";
import { t, count } from "./texts.js";

const PAGE = 60; // photos at once: a few screens full
const CHUNK = 500; // photos told at once, where all are asked for
const CALM_MILLISECONDS = 700; // between two looks, while photos keep coming in

/**
 * Return {element, label, open(label, only), close(), update(told, how)}: the view of one class, hidden until it is
 * opened. `actions`: {begin, end, back(), deleted({undo, photos}, text)}.
 */
export function makePhotos(actions) {
  const tiles = new Map();
  const selection = makeSelection(chosen);
  let offset = 0;
  let total = 0;
  let photos = []; // those of the page that is shown
  let before = "";
  let selecting = null; // a promise, while all photos are asked for
  let looking = null; // the look that counts; an older one that comes back later is forgotten

  const back = el("button", { type: "button", class: "plain back", data: { act: "back" }, onclick: actions.back });
  back.append(el("span", { "aria-hidden": "true" }, "←"), t("collect.view.back"));
  const title = el("h2", { tabindex: "-1" });
  const numbers = el("p", { class: "numbers number" });
  const hold = makeHold({ begin: () => actions.begin(view.label), end: actions.end });
  const filter = el("input", { type: "checkbox", data: { act: "filter" }, onchange: () => turn(0) });
  const all = el("button", { type: "button", onclick: selectAll }, t("collect.view.all"));
  const nothing = el("button", { type: "button", onclick: () => selection.clear() }, t("collect.view.nothing"));
  const remove = el("button", { type: "button", class: "danger", data: { server: "" }, onclick: removeChosen });
  const told = el("span", { class: "number", role: "status" });
  const empty = el("p", { class: "note", hidden: true });
  const grid = el("ul", { class: "photo-grid" });
  const newer = el("button", { type: "button", onclick: () => turn(offset - PAGE) }, t("collect.view.before"));
  const older = el("button", { type: "button", onclick: () => turn(offset + PAGE) }, t("collect.view.after"));
  const range = el("span", { class: "number" });
  const pages = el("nav", { class: "row", "aria-label": t("collect.view.pages"), hidden: true }, newer, range, older);
  const element = el(
    "section",
    { class: "view", hidden: true },
    back,
    title,
    numbers,
    hold.element,
    el("label", { class: "filter" }, filter, t("collect.view.filter")),
    el("div", { class: "row tools" }, all, nothing, remove, told),
    el("p", { class: "note keys" }, t("collect.view.keys")),
    empty,
    grid,
    pages,
  );
  const view = { element, label: null, open, close, update };
  grid.addEventListener("keydown", keys);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (selection.size) selection.clear();
    else actions.back();
  });
  return view;

  /** Show the photos of a class; `only`: those without a usable hand. */
  function open(label, only) {
    if (label !== view.label) {
      fill(grid);
      tiles.clear();
      selection.clear();
      photos = [];
      offset = total = 0;
      view.label = label;
      filter.checked = only;
      title.textContent = t("collect.view.title", { label });
      grid.setAttribute("aria-label", t("collect.view.list", { label }));
      before = "";
    }
    element.hidden = false;
    title.focus();
  }

  function close() {
    element.hidden = true;
    view.label = null;
  }

  function update(info, how) {
    fill(
      numbers,
      el("strong", {}, count("collect.photos", how.photos)),
      info.groups ? el("span", { title: t("collect.groupsHint") }, count("collect.groups", info.groups)) : null,
      info.unusable ? el("span", { class: "bad-text" }, count("collect.unusable", info.unusable)) : null,
    );
    hold.update(view.label, how.recording);
    const now = JSON.stringify(info);
    if (now === before) return;
    before = now;
    look();
  }

  /** Ask for the photos of this page, one look after the other. */
  async function look() {
    const mine = { label: view.label, again: false };
    if (looking && looking.label === mine.label) {
      looking.again = true;
      return;
    }
    looking = mine;
    const current = () => looking === mine && view.label === mine.label;
    try {
      do {
        mine.again = false;
        const answer = await (filter.checked ? unusable(mine.label) : ask(mine.label, offset, PAGE));
        if (!current()) return;
        show(answer);
        if (offset && offset >= total) {
          offset = Math.max(0, PAGE * Math.floor((total - 1) / PAGE));
          mine.again = true;
        } else {
          await new Promise((resolve) => setTimeout(resolve, CALM_MILLISECONDS));
        }
      } while (mine.again && current());
    } catch (error) {
      before = ""; // the next event tries again
      if (current() && error.status) problem(error);
    } finally {
      if (looking === mine) looking = null;
    }
  }

  /** Go to another page, at once. */
  function turn(to) {
    offset = Math.max(0, to);
    looking = null;
    look();
  }

  function ask(label, from, limit) {
    return get("/api/photos", { label, offset: from, limit });
  }

  async function everything(label) {
    const found = [];
    for (;;) {
      const { total: n, photos: some } = await ask(label, found.length, CHUNK);
      found.push(...some);
      if (found.length >= n || !some.length) return found;
    }
  }

  async function unusable(label) {
    const found = (await everything(label)).filter(({ state }) => state === "unusable");
    return { total: found.length, photos: found.slice(offset, offset + PAGE) };
  }

  function show(answer) {
    const focus = [...grid.children].findIndex((one) => one.contains(document.activeElement));
    total = answer.total;
    photos = answer.photos;
    selection.order(photos.map(({ file }) => file));
    arrange(grid, tiles, photos, makeTile);
    if (focus >= 0 && !grid.contains(document.activeElement)) {
      if (photos.length) focusOn(Math.min(focus, photos.length - 1));
      else title.focus();
    }
    reach();
    const from = photos.length ? offset + 1 : 0;
    range.textContent = t("collect.view.range", { from, to: offset + photos.length, total });
    pages.hidden = total <= PAGE;
    newer.disabled = offset === 0;
    older.disabled = offset + PAGE >= total;
    empty.hidden = photos.length > 0;
    empty.textContent = t(filter.checked ? "collect.view.emptyFilter" : "collect.view.empty", { label: view.label });
    chosen();
  }

  function makeTile(photo) {
    const { file } = photo;
    const thumb = makeThumb(photo);
    const box = el("input", { type: "checkbox", value: file, tabindex: "-1", checked: selection.has(file) });
    const why = el("span", { class: "why" });
    const group = el("span", { class: "group" });
    const href = address("/api/photo", { file });
    const full = el("a", { class: "full", href, target: "_blank", rel: "noopener" }, "⤢");
    full.setAttribute("aria-label", t("collect.view.full", { file }));
    full.tabIndex = -1; // one stop for all photos; Enter on one opens it
    box.addEventListener("click", (event) => selection.pick(file, box.checked, event.shiftKey));
    box.addEventListener("focus", () => reach(box));
    const tile = el("li", { data: { file } }, el("label", {}, box, thumb.element, why, group), full);
    const update = (now) => {
      thumb.update(now);
      why.textContent = now.state === "unusable" ? now.reason : "";
      group.textContent = now.group || t("collect.view.noGroup");
      box.setAttribute("aria-label", t("collect.view.photo", { file, state: stateOf(now), group: now.group || "–" }));
    };
    update(photo);
    return { element: tile, update, box };
  }

  /** Have one tile reached by the tabulator: the one that has the focus, or had it, or the first. */
  function reach(box = null) {
    const boxes = photos.map((photo) => tiles.get(keyOf(photo)).box);
    const one = box ?? boxes.find((other) => other.tabIndex === 0) ?? boxes[0];
    for (const other of boxes) other.tabIndex = other === one ? 0 : -1;
  }

  function focusOn(index) {
    const photo = photos[index];
    if (photo) tiles.get(keyOf(photo)).box.focus();
    return Boolean(photo);
  }

  function keys(event) {
    const index = photos.findIndex(({ file }) => file === event.target.value);
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    if (event.key === "Delete") {
      removeChosen(event);
    } else if (event.key === "Enter" && index >= 0) {
      window.open(address("/api/photo", { file: photos[index].file }), "_blank", "noopener");
    } else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) {
      selectAll();
    } else if (index >= 0 && (event.key in steps || event.key === "Home" || event.key === "End")) {
      const to = event.key === "Home" ? 0 : event.key === "End" ? photos.length - 1 : index + steps[event.key];
      if (focusOn(to) && event.shiftKey) selection.pick(photos[to].file, true, true, photos[index].file);
    } else {
      return;
    }
    event.preventDefault();
  }

  function selectAll() {
    const { label } = view;
    const only = filter.checked;
    selecting = everything(label).then((listed) => {
      if (label !== view.label) return;
      selection.add(listed.filter(({ state }) => !only || state === "unusable").map(({ file }) => file));
    }, problem);
  }

  function chosen() {
    const n = selection.size;
    told.textContent = n ? count("collect.view.chosen", n) : "";
    remove.disabled = nothing.disabled = n === 0;
    remove.textContent = n ? count("collect.view.remove", n) : t("collect.view.removeNone");
    all.disabled = total === 0;
    for (const [, { element: tile, box }] of tiles) {
      box.checked = selection.has(box.value);
      tile.classList.toggle("chosen", box.checked);
    }
  }

  async function removeChosen(event) {
    const pressed = event?.currentTarget === remove;
    await selecting; // who presses Ctrl+A and Delete does not wait
    const files = selection.files();
    if (!files.length || remove.ariaDisabled === "true") return;
    if (pressed) title.focus(); // the button has nothing to delete in a moment
    try {
      const answer = await post("/api/photos/delete", { files });
      selection.clear();
      actions.deleted(answer, count("collect.view.removed", answer.photos));
      turn(offset);
    } catch (error) {
      problem(error);
    }
  }
}
