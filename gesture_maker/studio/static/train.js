import { el } from "./dom.js";
import { t } from "./texts.js";

/** Build the page into `root`. */
export function mount(root) {
  root.append(el("h1", {}, t("shell.tabs.train")));
  return { show() {}, hide() {} };
}
