// Short messages at the bottom of the page, read out by screen readers, with a way back where there is one.

import { el } from "./dom.js";
import { t } from "./texts.js";

const SECONDS = { plain: 6, undo: 20 };

/** Show a message. `undo`: what the button "Undo" does; `bad`: it is about an error and stays until dismissed. */
export function notice(text, { undo = null, bad = false } = {}) {
  const box = document.getElementById("notices");
  const shown = el("div", { class: bad ? "notice bad" : "notice" }, el("p", {}, text));
  const remove = () => shown.remove();
  if (undo) {
    const back = el("button", { type: "button", class: "plain" }, t("shell.undo"));
    back.addEventListener("click", async () => {
      remove();
      try {
        await undo();
      } catch (error) {
        problem(error);
      }
    });
    shown.append(back);
  }
  shown.append(el("button", { type: "button", class: "plain", "aria-label": t("shell.dismiss"), onclick: remove }, "×"));
  box.append(shown);
  while (box.childElementCount > 4) box.firstElementChild.remove();
  if (!bad) setTimeout(remove, 1000 * (undo ? SECONDS.undo : SECONDS.plain));
}

/** Show what went wrong. */
export function problem(error) {
  if (error?.name === "AbortError") return;
  if (!error?.status && error?.name !== "ApiError" && !(error && "status" in error)) console.error(error);
  notice("status" in (error ?? {}) ? error.message : t("shell.unexpected", { message: error?.message ?? error }), { bad: true });
}
