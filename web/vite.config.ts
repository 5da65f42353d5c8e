// How the page is built: into hub/static, which is committed, so that Python alone serves it. The same sources and the
// same lock give the same bytes; tests/e2e/test_page_build.py builds anew and compares.

import { defineConfig } from "vite";
import { licences } from "./licences";

export default defineConfig({
  plugins: [licences()],
  build: {
    outDir: "../hub/static",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    // The content security policy lets no script in but from files.
    assetsInlineLimit: 0,
    modulePreload: false,
    // CodeMirror and Yjs come to 400 KB before compression; Vite warns from 500 on.
    chunkSizeWarningLimit: 700,
  },
});
