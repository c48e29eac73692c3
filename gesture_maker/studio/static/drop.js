// Files that are dropped or chosen, with folders followed: [{path, file}]; a path begins with the dropped folder's
// name.

const PASSED_OVER = new Set(["thumbs.db", "desktop.ini"]); // what systems leave in folders, beside hidden files

/** Return a promise of the files that a drop holds. Call it within the event: afterwards they are not to be had. */
export function filesOfDrop(transfer) {
  const found = [...(transfer?.items ?? [])]
    .filter((item) => item.kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
  const listed = ({ entry, file }) => (entry ? walk(entry) : file ? [{ path: file.name, file }] : []);
  return Promise.all(found.map(listed)).then(wanted);
}

/** Return the files of an `<input type="file">`, of a folder with their paths in it. */
export function filesOfInput(input) {
  return wanted([[...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }))]);
}

function wanted(lists) {
  return lists.flat().filter(({ path }) => {
    const parts = path.split("/");
    return !parts.some((part) => part.startsWith(".")) && !PASSED_OVER.has(parts.at(-1).toLowerCase());
  });
}

async function walk(entry, before = "") {
  const path = before ? `${before}/${entry.name}` : entry.name;
  if (entry.isFile) return [{ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const reader = entry.createReader();
  const children = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 at a time
    if (!some.length) break;
    children.push(...some);
  }
  const files = [];
  for (const child of children) files.push(...(await walk(child, path)));
  return files;
}

/**
 * Make an element take files. `ondrop(promise of files)`; while files are held over it, it has the class "over".
 * An element within it that takes files, too, comes first. `open()`: whether it takes any now.
 */
export function dropTarget(element, { ondrop, open = () => true }) {
  const over = (is) => element.classList.toggle("over", is);
  const holds = (event) => open() && [...(event.dataTransfer?.types ?? [])].includes("Files");
  element.addEventListener("dragover", (event) => {
    if (!holds(event)) return;
    event.preventDefault(); // or the browser would leave the page and show the file
    if (!event.taken) over(true);
    else over(false);
    event.taken = true;
    event.dataTransfer.dropEffect = "copy";
  });
  element.addEventListener("dragleave", (event) => element.contains(event.relatedTarget) || over(false));
  element.addEventListener("drop", (event) => {
    over(false);
    if (!holds(event)) return;
    event.preventDefault();
    if (event.taken) return;
    event.taken = true;
    ondrop(filesOfDrop(event.dataTransfer));
  });
}
