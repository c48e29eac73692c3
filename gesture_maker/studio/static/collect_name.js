// The name of a class in a field: of a new one, or another for one that is there. What is wrong with it is said
// beside it.

import { ApiError } from "./api.js";
import { el, uniqueId } from "./dom.js";
import { t } from "./texts.js";

const NONE = "none";

/** Return how the studio spells a name, as far as two names that are the same must look the same here. */
function plain(name) {
  const label = name.normalize("NFC").trim();
  return label.toLowerCase() === NONE ? NONE : label;
}

/**
 * Return {element, input}: a form with a field. `labels()`: the names that are taken; `save(name)`: a promise; when
 * it fails with a sentence, that is shown beside the field. `extra`: further elements behind the button.
 */
export function makeNameForm({ name, button, value = "", placeholder = "", labels, save, extra = [] }) {
  const told = el("p", { class: "bad-text", id: uniqueId("name"), role: "alert" });
  const quiet = { autocomplete: "off", spellcheck: "false" };
  const input = el("input", { type: "text", value, placeholder, maxlength: 180, ...quiet });
  const submit = el("button", { type: "submit", data: { server: "" } }, button);
  const element = el(
    "form",
    { class: "name-form", novalidate: true },
    el("label", {}, el("span", {}, name), input),
    el("span", { class: "row" }, submit, extra),
    told,
  );
  const say = (text) => {
    told.textContent = text;
    if (text) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", told.id);
    } else {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    }
  };
  input.addEventListener("input", () => say(""));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.ariaDisabled === "true") return;
    const problem = wrong(input.value, labels());
    say(problem);
    if (problem) {
      input.focus();
      return;
    }
    submit.disabled = true;
    try {
      await save(plain(input.value));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      say(error.message);
      input.focus();
    } finally {
      submit.disabled = false;
    }
  });
  return { element, input };
}

function wrong(value, labels) {
  const label = plain(value);
  if (!label) return t("collect.add.empty");
  if (/[/\\]/.test(label)) return t("collect.add.slash");
  return labels.includes(label) ? t("collect.add.exists", { label }) : "";
}
