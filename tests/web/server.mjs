// Folders served over HTTP on this machine alone. Browsers load modules and WebAssembly from a server only, by MIME type.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm", // compiled while it streams in; the runtime refuses other types
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".task": "application/octet-stream",
};

/**
 * Serve folders, each under the beginning of a path: `{"/": folder, "/node_modules/": other}`, the longest beginning first.
 * @returns {Promise<{address: string, missing: string[], close: () => Promise<void>}>} `missing`: what was asked for in vain.
 */
export async function serve(folders) {
  const beginnings = Object.keys(folders).sort((a, b) => b.length - a.length);
  const missing = [];
  const server = createServer(async (request, response) => {
    const asked = decodeURIComponent(new URL(request.url, "http://localhost").pathname); // resolves every ".."
    const beginning = beginnings.find((one) => asked.startsWith(one));
    const file = beginning && path.join(folders[beginning], asked.slice(beginning.length));
    const about = file && !asked.includes("..") ? await stat(file).catch(() => null) : null;
    if (!about?.isFile()) {
      if (asked !== "/favicon.ico") missing.push(asked);
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[path.extname(file).toLowerCase()] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, "Content-Length": about.size, "Cache-Control": "no-store" });
    createReadStream(file).pipe(response);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    missing,
    close: () => new Promise((closed) => (server.close(closed), server.closeAllConnections?.())),
  };
}
