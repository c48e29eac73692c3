// The panel: products, a basket, check out. An ordinary page for mouse, keyboard and screen reader; play_touch.js adds the hand.
// What a hand can click has `data-target`, what it can carry `data-carry`.

import { el, fill } from "./dom.js";
import { Basket } from "./play_basket.js";
import { PRODUCTS, money, nameOf, pictureOf, prices } from "./play_goods.js";
import { count, t } from "./texts.js";

/** Return a shop: {element, basket, places: {basket, bar}, add(product), remove(product)}; places: where things are dropped. */
export function makeShop() {
  const stock = prices();
  const basket = new Basket(stock);
  const said = el("p", { class: "visually-hidden", role: "status" });
  const heading = el("h2", { tabindex: "-1" }, t("play.basket.title"));
  const list = el("ul", { class: "lines" });
  const nothing = el("p", { class: "note" }, t("play.basket.empty"));
  const thanks = el("div", { class: "thanks", tabindex: "-1", hidden: true });
  const sum = el("strong", { class: "number" });
  const pieces = el("span", { class: "note" });
  const button = el("button", { type: "button", class: "primary", data: { target: "check out" }, onclick: checkOut }, t("play.checkOut"));
  const bar = el("div", { class: "sum" }, el("p", {}, t("play.basket.sum"), " ", sum, " ", pieces), button);
  const place = el("section", { class: "basket", "aria-label": t("play.basket.title") }, heading, list, nothing, thanks);
  const goods = el(
    "section",
    { class: "goods", "aria-label": t("play.goods") },
    el("h2", {}, t("play.goods")),
    el("ul", {}, PRODUCTS.map((product) => el("li", {}, offer(product)))),
  );
  const element = el("div", { class: "shop", role: "region", "aria-label": t("play.shop"), tabindex: "0" }, goods, place, bar, said);
  const lines = new Map(); // product -> {element, amount, price, fewer}
  show();
  return { element, basket, places: { basket: place, bar }, add, remove };

  function offer(product) {
    const name = nameOf(product);
    const price = money(stock[product]);
    return el(
      "button",
      {
        type: "button",
        class: "product",
        data: { product, target: `add ${product}`, carry: "product" },
        onclick: () => add(product),
      },
      pictureOf(product),
      el("span", { class: "name" }, name),
      el("span", { class: "number" }, price),
      el("span", { class: "visually-hidden" }, t("play.addWord")),
    );
  }

  /** Put one more of a product into the basket. */
  function add(product) {
    basket.add(product);
    thanks.hidden = true;
    show();
    say(t("play.basket.added", { name: nameOf(product), n: basket.amount(product), sum: money(basket.cents) }));
  }

  /** Take all of a product out of the basket. */
  function remove(product) {
    const line = lines.get(product);
    const focused = line?.element.contains(document.activeElement);
    basket.set(product, 0);
    const next = line?.element.nextElementSibling ?? line?.element.previousElementSibling;
    show();
    // Who removes by keyboard goes on where the line was.
    if (focused) (next?.querySelector(".remove") ?? heading).focus();
    say(t("play.basket.removed", { name: nameOf(product), sum: money(basket.cents) }));
  }

  function change(product, more) {
    if (basket.amount(product) + more <= 0) {
      remove(product);
      return;
    }
    basket.add(product, more);
    show();
    say(t("play.basket.changed", { name: nameOf(product), n: basket.amount(product), sum: money(basket.cents) }));
  }

  function checkOut() {
    const order = basket.checkOut();
    if (!order.pieces) return;
    show();
    fill(
      thanks,
      el("h3", {}, t("play.thanks.title")),
      el("p", {}, count("play.thanks.ordered", order.pieces, { sum: money(order.cents) })),
      el(
        "ul",
        {},
        order.lines.map(({ product, amount, cents }) =>
          el("li", { class: "number" }, t("play.thanks.line", { n: amount, name: nameOf(product), price: money(cents) })),
        ),
      ),
      el("p", { class: "note" }, t("play.thanks.note")),
    );
    thanks.hidden = false;
    nothing.hidden = true;
    if (document.activeElement === button || document.activeElement === document.body) thanks.focus({ preventScroll: true });
    place.scrollIntoView({ block: "nearest" });
    say(count("play.thanks.said", order.pieces, { sum: money(order.cents) }));
  }

  function say(text) {
    fill(said, text);
  }

  function show() {
    for (const [product, { element: line }] of lines) {
      if (!basket.amount(product)) {
        line.remove();
        lines.delete(product);
      }
    }
    for (const { product, amount, cents } of basket.lines) {
      if (!lines.has(product)) {
        lines.set(product, makeLine(product));
        list.append(lines.get(product).element);
      }
      const line = lines.get(product);
      fill(line.amount, String(amount));
      fill(line.price, money(cents));
    }
    list.hidden = !lines.size;
    nothing.hidden = lines.size > 0 || !thanks.hidden;
    fill(sum, money(basket.cents));
    fill(pieces, count("play.basket.pieces", basket.pieces));
    button.disabled = !lines.size;
  }

  function makeLine(product) {
    const name = nameOf(product);
    const amount = el("span", { class: "amount number" });
    const price = el("span", { class: "price number" });
    const press = (label, action, text, more = {}) =>
      el("button", { type: "button", "aria-label": t(`play.basket.${label}`, { name }), onclick: action, ...more }, text);
    const line = el(
      "li",
      { class: "line", data: { product, carry: "line" } },
      pictureOf(product),
      el("span", { class: "name" }, name),
      price,
      el(
        "div",
        { class: "amounts", role: "group", "aria-label": t("play.basket.amountOf", { name }) },
        press("fewer", () => change(product, -1), "−", { data: { target: `fewer ${product}` } }),
        amount,
        press("more", () => change(product, 1), "+", { data: { target: `more ${product}` } }),
      ),
      press("remove", () => remove(product), t("play.basket.removeWord"), { class: "remove", data: { target: `remove ${product}` } }),
    );
    return { element: line, amount, price };
  }
}
