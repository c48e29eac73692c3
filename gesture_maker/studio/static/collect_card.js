// One class as a card: its name and numbers, its newest photos, what is held to record, and where files come in.

import { get } from "./api.js";
import { el } from "./dom.js";
import { dropTarget, filesOfInput } from "./drop.js";
import { makeHold } from "./collect_hold.js";
import { makeNameForm } from "./collect_name.js";
import { arrange, makeThumb, stateOf } from "./collect_thumb.js";
import { upload } from "./collect_upload.js";
import { t, count } from "./texts.js";

const STRIP = 8; // newest photos; what fits beside each other in a wide card
const STRIP_MILLISECONDS = 700; // between two looks at them: while photos are recorded the numbers change more often

/**
 * Return {element, label, update(told, how), focus()}. `told`: the class as GET /api/dataset tells of it; `how`:
 * {photos: the number to show, selected, recording}. `actions`: what the page does, {select(label), begin(label),
 * end(), open(label, unusable), rename(label, to), remove(label), labels(), refresh()}.
 */
export function makeCard(label, actions) {
  const none = label === "none";
  const shown = new Map();
  let before = "";
  let looking = false;
  let again = false;

  const radio = el("input", { type: "radio", name: "collect-class", onchange: () => actions.select(card.label) });
  const name = el("span", { class: "label" });
  const key = el("span", { class: "key", "aria-hidden": "true" }, t("collect.selected"));
  const title = el("h3", {}, el("label", {}, radio, name, key));
  const renaming = el(
    "button",
    { type: "button", class: "plain", data: { act: "rename", server: "" }, onclick: rename },
    t("collect.rename"),
  );
  const removing = el(
    "button",
    { type: "button", class: "plain", data: { act: "delete", server: "" }, onclick: () => actions.remove(card.label) },
    t("collect.remove"),
  );
  const head = el("div", { class: "head" }, title, !none && el("span", { class: "menu" }, renaming, removing));
  const photos = el("strong", { class: "number photos" });
  const groups = el("span", { class: "number", title: t("collect.groupsHint") });
  const unusable = el(
    "button",
    { type: "button", class: "plain unusable", hidden: true, onclick: () => actions.open(card.label, true) },
  );
  const pending = el("span", { class: "number note", hidden: true });
  const strip = el("ul", { class: "strip" });
  const empty = el("p", { class: "note" }, t("collect.emptyClass"));
  const all = el(
    "button",
    { type: "button", class: "plain all", data: { act: "open" }, onclick: () => actions.open(card.label, false) },
    t("collect.open"),
  );
  const numbers = el("p", { class: "numbers" }, photos, groups, all, unusable, pending);
  const hold = makeHold({ begin: () => actions.begin(card.label), end: actions.end });
  const uploads = el("div", { class: "uploads" });
  const files = chooser({ multiple: true, accept: "image/*,video/*,.zip" }, t("collect.addFiles"));
  const folder = chooser({ webkitdirectory: true }, t("collect.addFolder"));
  const element = el(
    "li",
    { class: "card class", data: { label } },
    head,
    none && el("p", { class: "note" }, t("collect.noneHint")),
    numbers,
    strip,
    empty,
    hold.element,
    el("div", { class: "row files" }, files.button, files.input, folder.button, folder.input),
    uploads,
  );
  const card = { element, label, update, relabel, focus: () => radio.focus() };
  element.addEventListener("click", (event) => {
    if (!event.target.closest("button, input, label, a, summary, form")) actions.select(card.label);
  });
  dropTarget(element, { ondrop: take });
  relabel(label);
  return card;

  function take(given) {
    upload(uploads, card.label, given).then(actions.refresh);
  }

  function chooser(attributes, words) {
    const input = el("input", { type: "file", ...attributes, hidden: true, tabindex: "-1" });
    const button = el("button", { type: "button", data: { server: "" }, onclick: () => input.click() }, words);
    input.addEventListener("change", () => {
      take(Promise.resolve(filesOfInput(input)));
      input.value = ""; // or the same file again would be no change
    });
    return { input, button };
  }

  /** Give the card another class's name: the class was renamed. */
  function relabel(to) {
    card.label = to;
    element.dataset.label = to;
    element.style.setProperty("--drop", JSON.stringify(t("collect.upload.dropHere", { label: to })));
    name.textContent = to;
    radio.value = to;
    radio.setAttribute("aria-label", t("collect.select", { label: to }));
    renaming.setAttribute("aria-label", t("collect.renameLabel", { label: to }));
    removing.setAttribute("aria-label", t("collect.removeLabel", { label: to }));
    all.setAttribute("aria-label", t("collect.openLabel", { label: to }));
    files.button.setAttribute("aria-label", t("collect.addFilesLabel", { label: to }));
    folder.button.setAttribute("aria-label", t("collect.addFolderLabel", { label: to }));
    files.input.setAttribute("aria-label", t("collect.addFilesLabel", { label: to }));
    folder.input.setAttribute("aria-label", t("collect.addFolderLabel", { label: to }));
  }

  function update(told, how) {
    photos.textContent = count("collect.photos", how.photos);
    groups.textContent = count("collect.groups", told.groups);
    groups.hidden = !told.groups;
    unusable.hidden = !told.unusable;
    unusable.textContent = count("collect.unusable", told.unusable);
    unusable.setAttribute("aria-label", t("collect.showUnusable", { n: told.unusable, label: card.label }));
    pending.hidden = !told.pending;
    pending.textContent = count("collect.pending", told.pending);
    empty.hidden = how.photos > 0;
    all.hidden = !told.photos;
    radio.checked = how.selected;
    element.classList.toggle("selected", how.selected);
    element.classList.toggle("recording", how.recording);
    hold.update(card.label, how.recording);
    const now = JSON.stringify([card.label, told]);
    if (now === before) return;
    before = now;
    look(told.photos);
  }

  async function look(n) {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    try {
      const told = n ? await get("/api/photos", { label: card.label, offset: 0, limit: STRIP }) : { photos: [] };
      arrange(strip, shown, told.photos, makeItem);
      await new Promise((resolve) => setTimeout(resolve, STRIP_MILLISECONDS));
    } catch {
      before = ""; // the studio went, or the class did; the next event tells
    } finally {
      looking = false;
      if (again) {
        again = false;
        look(1);
      }
    }
  }

  function makeItem(photo) {
    const thumb = makeThumb(photo);
    const words = el("span", { class: "visually-hidden" }, stateOf(photo));
    return {
      element: el("li", {}, thumb.element, words),
      update(told) {
        thumb.update(told);
        words.textContent = stateOf(told);
      },
    };
  }

  function rename() {
    const before = card.label;
    const leave = () => {
      form.element.replaceWith(title);
      renaming.disabled = false;
      renaming.focus();
    };
    const cancel = el("button", { type: "button", onclick: leave }, t("shell.cancel"));
    const form = makeNameForm({
      name: el("span", { class: "visually-hidden" }, t("collect.renameTo", { label: before })),
      button: t("collect.save"),
      value: before,
      labels: () => actions.labels().filter((one) => one !== before),
      save: async (to) => {
        if (to !== before) await actions.rename(before, to);
        leave();
      },
      extra: [cancel],
    });
    form.element.addEventListener("keydown", (event) => event.key === "Escape" && leave());
    renaming.disabled = true;
    title.replaceWith(form.element);
    form.input.select();
    form.input.focus();
  }
}
