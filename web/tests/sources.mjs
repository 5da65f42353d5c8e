// The modules of the call client for Node, which reads no TypeScript.

import { build } from "esbuild";

const SOURCES = new URL("../src/", import.meta.url).pathname;

/** Modules of src together, with all that they import. */
export async function load(...paths) {
  const contents = paths.map((path) => `export * from "./${path}";`).join("\n");
  const stdin = { contents, resolveDir: SOURCES };
  const built = await build({ stdin, bundle: true, write: false, format: "esm", platform: "neutral" });
  return import(`data:text/javascript,${encodeURIComponent(built.outputFiles[0].text)}`);
}

/** Chance that is the same each time. */
export function chance(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
