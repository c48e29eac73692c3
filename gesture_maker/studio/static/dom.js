// Making elements without innerHTML: names of classes and files are text, never markup.

/**
 * Make an element: `el("button", { class: "plain", onclick: remove, "aria-label": "…" }, "text", otherElement)`.
 * Attributes: functions are listeners, true is an attribute without a value, false and null are left out;
 * `style` is an object of properties and `data` one of data- attributes (the policy forbids inline style attributes).
 */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(key.replace(/^on/, ""), value);
    else if (key === "style") for (const [property, set] of Object.entries(value)) element.style.setProperty(property, set);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key in element && ["value", "checked", "disabled", "hidden", "selected", "indeterminate", "srcObject"].includes(key)) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put `children` in the place of all that an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return `work` as a function that runs at most once per picture on the screen, with the last arguments. */
export function perFrame(work) {
  let waiting = null;
  return (...given) => {
    if (waiting === null) requestAnimationFrame(() => work(...take()));
    waiting = given;
  };
  function take() {
    const given = waiting;
    waiting = null;
    return given;
  }
}

/** Return a share 0..1 as percent: 0.9312 is "93.1 %". */
export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)} %`;
}

let names = 0;

/** Return an id that no other element has. */
export function uniqueId(prefix = "id") {
  names += 1;
  return `${prefix}-${names}`;
}
