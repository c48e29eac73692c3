// Files on their way into the dataset: one panel for each upload, with its progress, then what became of it.

import { ApiError, post, send } from "./api.js";
import { el, fill, uniqueId } from "./dom.js";
import { on } from "./events.js";
import { t, count } from "./texts.js";

const AT_ONCE = 3; // files on their way; more gain nothing on one machine
const SHOWN = 200; // skipped files in the list

/**
 * Send files and have them added to a class, or each to that of its folder (null). `files`: a promise of [{path,
 * file}]. The panel is put into `place`. Returns a promise that is kept when all is done; what goes wrong is said in
 * the panel.
 */
export async function upload(place, label, files) {
  const stop = new AbortController();
  const what = label === null ? t("collect.upload.progressAll") : t("collect.upload.progress", { label });
  const bar = el("progress", { max: 1, value: 0, "aria-label": what });
  const line = el("p", { id: uniqueId("upload"), class: "number" }, t("collect.upload.reading"));
  const cancel = el("button", { type: "button", onclick: () => stop.abort() }, t("collect.upload.cancel"));
  const panel = el("div", { class: "upload" }, line, bar, cancel);
  place.append(panel);
  let id = null;
  let quiet = null;
  const show = (share, text) => {
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    line.textContent = text;
  };
  const finished = (...children) => {
    const close = el("button", { type: "button", class: "plain", onclick: () => panel.remove() }, "×");
    close.setAttribute("aria-label", t("collect.upload.close"));
    fill(panel, el("div", { class: "told", role: "status" }), close);
    panel.firstChild.append(...children); // in a second step, so that it is read out
  };
  try {
    const given = await files;
    if (!given.length) return finished(el("p", {}, t("collect.upload.nothing")));
    if (label === null && given.every(({ path }) => !path.includes("/") && !path.toLowerCase().endsWith(".zip"))) {
      return finished(el("p", {}, t("collect.upload.loose")));
    }
    ({ upload: id } = await post("/api/upload/begin", { label }));
    const refused = await sendAll(id, given, stop.signal, show);
    if (refused.length === given.length) {
      await post("/api/upload/cancel", { upload: id });
      return finished(...result(label, { added: 0, already: 0, skipped: refused }));
    }
    stop.signal.throwIfAborted();
    quiet = on("upload", (event) => {
      if (event.upload !== id) return;
      show(event.total ? event.done / event.total : null, t("collect.upload.adding", event));
    });
    show(null, t("collect.upload.working"));
    cancel.disabled = true; // from here on the studio adds them
    const told = await post("/api/upload/finish", { upload: id });
    return finished(...result(label, { ...told, skipped: [...refused, ...told.skipped] }));
  } catch (error) {
    if (id) post("/api/upload/cancel", { upload: id }).catch(() => {}); // a studio that is gone has forgotten it, too
    if (error.name === "AbortError") return finished(el("p", {}, t("collect.upload.cancelled")));
    if (!(error instanceof ApiError)) console.error(error);
    return finished(el("p", { class: "bad-text" }, error.message));
  } finally {
    quiet?.();
  }
}

/** Send all files, and return those that were not taken, as [{name, reason}]. */
async function sendAll(id, files, signal, show) {
  const refused = [];
  const size = files.reduce((sum, { file }) => sum + file.size, 0) || 1;
  let next = 0;
  let done = 0;
  let bytes = 0;
  const tell = () => show(bytes / size, t("collect.upload.sending", { done, total: files.length }));
  const work = async () => {
    while (next < files.length) {
      const { path, file } = files[next];
      next += 1;
      try {
        await send("/api/upload/file", file, { upload: id, path }, signal);
      } catch (error) {
        if (error.name === "AbortError" || !(error.status >= 400 && error.status < 500)) {
          next = files.length;
          throw error;
        }
        refused.push({ name: path, reason: error.message }); // this one is too large, or no file that may be sent
      }
      done += 1;
      bytes += file.size;
      tell();
    }
  };
  tell();
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return refused;
}

function result(label, { added, already, skipped }) {
  const told = [count(label === null ? "collect.upload.addedAll" : "collect.upload.added", added, { label })];
  if (already) told.push(count("collect.upload.already", already));
  const line = el("p", { class: "number" }, told.join(" "));
  if (!skipped.length) return [line];
  const rows = skipped.slice(0, SHOWN).map(({ name, reason }) => el("li", {}, `${name}: ${reason}`));
  if (skipped.length > SHOWN) rows.push(el("li", {}, "…"));
  const title = el("summary", {}, count("collect.upload.skipped", skipped.length));
  return [line, el("details", {}, title, el("ul", {}, rows))];
}
