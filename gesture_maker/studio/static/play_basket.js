// What is in the basket. Prices are whole cents: sums of them are exact.

export const MOST = 99; // of one product

export class Basket {
  /** `prices`: {product: cents}. */
  constructor(prices) {
    this.prices = prices;
    this.amounts = new Map(); // in the order in which they were put in
  }

  /** Add (or with a negative number take away) some of a product; at 0 its line goes. Returns the amount there is now. */
  add(product, more = 1) {
    if (!(product in this.prices) || !Number.isInteger(more)) throw new Error(`There is no product "${product}".`);
    return this.set(product, this.amount(product) + more);
  }

  set(product, amount) {
    const kept = Math.min(MOST, Math.max(0, amount));
    if (kept) this.amounts.set(product, kept);
    else this.amounts.delete(product);
    return kept;
  }

  amount(product) {
    return this.amounts.get(product) ?? 0;
  }

  /** The lines as [{product, amount, cents}]; cents of the whole line. */
  get lines() {
    return [...this.amounts].map(([product, amount]) => ({ product, amount, cents: amount * this.prices[product] }));
  }

  get cents() {
    return this.lines.reduce((sum, line) => sum + line.cents, 0);
  }

  get pieces() {
    return this.lines.reduce((sum, line) => sum + line.amount, 0);
  }

  /** Empty the basket and return what was in it: {lines, cents, pieces}. */
  checkOut() {
    const { lines, cents, pieces } = this;
    this.amounts.clear();
    return { lines, cents, pieces };
  }
}
