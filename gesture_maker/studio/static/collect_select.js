// Which photos are selected: by their files, over several pages, with ranges.

/** Return {size, has, files, add, clear, pick, order}; `onchange()` is called after each change. */
export function makeSelection(onchange) {
  const chosen = new Set();
  let listed = []; // what is shown, in order: ranges are of these
  let anchor = null; // where a range begins
  return {
    get size() {
      return chosen.size;
    },
    has: (file) => chosen.has(file),
    files: () => [...chosen],
    order(files) {
      listed = files;
    },
    add(files) {
      for (const file of files) chosen.add(file);
      onchange();
    },
    clear() {
      chosen.clear();
      anchor = null;
      onchange();
    },
    /** Select or leave out a file; `range`: with all from the one that was picked before (or `from`) to it. */
    pick(file, is, range, from = null) {
      anchor ??= from;
      const [a, b] = [listed.indexOf(anchor), listed.indexOf(file)];
      const some = range && a >= 0 && b >= 0 ? listed.slice(Math.min(a, b), Math.max(a, b) + 1) : [file];
      for (const one of some) {
        if (is) chosen.add(one);
        else chosen.delete(one);
      }
      if (!range) anchor = file;
      onchange();
    },
  };
}
