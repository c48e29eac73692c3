// What was deleted and can be brought back, also after the studio was ended.

import { get, post } from "./api.js";
import { el, fill } from "./dom.js";
import { notice, problem } from "./notices.js";
import { t, count } from "./texts.js";

/**
 * Return {element, update(n)}: a list that opens. `n`: how much can be brought back; `onback(undo)` when one was.
 */
export function makeDeleted({ onback }) {
  const title = el("summary", {});
  const list = el("ul", {});
  const opened = () => element.open && look();
  const element = el("details", { class: "deleted", hidden: true, ontoggle: opened }, title, list);
  let before = null;
  return { element, update, look };

  function update(n) {
    element.hidden = !n;
    title.textContent = count("collect.deleted.title", n);
    if (n !== before && element.open) look();
    before = n;
  }

  async function look() {
    try {
      const { deleted } = await get("/api/deleted");
      fill(list, deleted.length ? deleted.map(makeEntry) : el("li", {}, t("collect.deleted.none")));
    } catch (error) {
      problem(error);
    }
  }

  function makeEntry({ undo, when, label, photos, whole }) {
    const at = new Date(when);
    const known = !Number.isNaN(at.getTime());
    const told = known ? at.toLocaleString("en", { dateStyle: "medium", timeStyle: "short" }) : String(when);
    const back = el(
      "button",
      {
        type: "button",
        data: { act: "bring-back", server: "" },
        "aria-label": count("collect.deleted.bringBackLabel", photos, { label, when: told }),
        onclick: async () => {
          if (back.ariaDisabled === "true") return;
          back.disabled = true;
          try {
            const answer = await post("/api/undo", { undo });
            title.focus();
            notice(count("collect.deleted.done", answer.photos));
            onback(undo);
            look();
          } catch (error) {
            back.disabled = false;
            problem(error);
          }
        },
      },
      t("collect.deleted.bringBack"),
    );
    const words = count(whole ? "collect.deleted.whole" : "collect.deleted.entry", photos, { label });
    return el("li", { class: "row" }, el("span", { class: "what" }, words), el("span", { class: "note" }, told), back);
  }
}
