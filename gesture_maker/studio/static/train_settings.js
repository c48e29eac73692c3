// "Advanced": the options of `train`, each with its help and what it is when nothing is set.

import { el, fill, uniqueId } from "./dom.js";
import { count, t } from "./texts.js";

const KEPT = "gesture-maker.train.settings"; // for as long as the page's tab is open

/** Return the settings: {element, offer(told), values()}. `offer` takes the answer of /api/train/settings. */
export function makeSettings() {
  const fields = new Map(); // name -> {option, input, reset, note}
  const changed = el("span", { class: "note" });
  const resetAll = el("button", { type: "button", hidden: true, onclick: () => clear([...fields.keys()]) }, t("train.resetAll"));
  const groups = el("div", { class: "groups" });
  const element = el(
    "details",
    { class: "advanced" },
    el("summary", {}, t("train.advanced"), " ", changed),
    el("p", { class: "note" }, t("train.advancedNote")),
    groups,
    resetAll,
  );
  const kept = remembered();
  return { element, offer, values };

  /** Return what was set, as text by name. */
  function values() {
    const set = [...fields].map(([name, { input }]) => [name, input.value.trim()]);
    return Object.fromEntries(set.filter(([, value]) => value));
  }

  function offer({ options, google }) {
    if (!fields.size) build(options, google);
    for (const option of options) if (fields.has(option.name)) fields.get(option.name).option = option;
    show();
  }

  function build(options, google) {
    const titles = [...new Set(options.map((option) => option.group))];
    fill(
      groups,
      titles.map((title) =>
        el(
          "fieldset",
          {},
          el("legend", {}, title || t("train.own")),
          el("div", { class: "settings" }, options.filter((one) => one.group === title).map((one) => field(one, google))),
        ),
      ),
    );
  }

  function field(option, google) {
    const id = uniqueId("setting");
    const help = `${id}-help`;
    const attributes = { id, "aria-describedby": help, oninput: show };
    const choices = option.kind === "yes or no" ? ["yes", "no"] : option.choices;
    const input = choices.length
      ? el("select", attributes, el("option", { value: "" }), choices.map((choice) => el("option", { value: choice }, wordOf(choice))))
      : el("input", { ...attributes, type: "text", autocomplete: "off", spellcheck: "false", inputmode: modeOf(option.kind) });
    const missing = option.name === "embedder" && google ? google : "";
    if (missing) input.querySelector('option[value="mediapipe"]').disabled = true;
    if (kept[option.name] && !(missing && kept[option.name] === "mediapipe")) input.value = kept[option.name];
    const reset = el(
      "button",
      { type: "button", class: "plain", "aria-label": t("train.reset", { name: option.name }), onclick: () => clear([option.name]) },
      "×",
    );
    fields.set(option.name, { option, input, reset });
    return el(
      "div",
      { class: "setting" },
      el("label", { for: id }, el("code", {}, option.name)),
      el("div", { class: "value" }, input, reset),
      el("p", { class: "note", id: help }, option.help.replaceAll("--", ""), missing ? ` ${missing}` : ""),
    );
  }

  /** Show which settings differ from what they would be, and those values. */
  function show() {
    const set = values();
    const recipe = set.recipe ?? "auto";
    for (const [name, { option, input, reset }] of fields) {
      const usual = option.defaults[recipe] ?? option.defaults.auto;
      if (input.tagName === "SELECT") input.options[0].textContent = t("train.usual", { value: wordOf(usual) });
      else input.placeholder = usual;
      reset.hidden = !(name in set);
    }
    const number = Object.keys(set).length;
    fill(changed, number ? `· ${count("train.changed", number)}` : "");
    resetAll.hidden = !number;
    remember(set);
  }

  function clear(names) {
    const focused = names.length === 1 ? fields.get(names[0]).input : element.querySelector("summary");
    for (const name of names) fields.get(name).input.value = "";
    show();
    focused.focus();
  }
}

function wordOf(value) {
  return value === "yes" || value === "no" ? t(`train.${value}`) : value;
}

function modeOf(kind) {
  return { "whole number": "numeric", number: "decimal" }[kind] ?? "text";
}

function remembered() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
    return found && typeof found === "object" ? found : {};
  } catch {
    return {};
  }
}

function remember(set) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(set));
  } catch {
    // A page without storage forgets them when it is loaded anew.
  }
}
