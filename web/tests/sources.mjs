// The modules of the call client for Node, which reads no TypeScript.

import { build } from "esbuild";

const SOURCES = new URL("../src/", import.meta.url).pathname;

/** Modules of src together, with all that they import. */
export async function load(...paths) {
  return import(`data:text/javascript,${encodeURIComponent(await bundle(paths, { format: "esm" }))}`);
}

/** The same as a script for a page, which has them under a global name. */
export function script(globalName, ...paths) {
  return bundle(paths, { format: "iife", globalName });
}

async function bundle(paths, options) {
  const contents = paths.map((path) => `export * from "./${path}";`).join("\n");
  const stdin = { contents, resolveDir: SOURCES };
  const built = await build({ stdin, bundle: true, write: false, platform: "neutral", ...options });
  return built.outputFiles[0].text;
}

/** Chance that is the same each time. */
export function chance(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
