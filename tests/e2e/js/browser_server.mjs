// One Chromium for several scripts, which takes a second of a core to start: says where it is, and ends with SIGTERM.

import { chromium } from "playwright-core";
import { FLAGS } from "./browser_flags.mjs";

const server = await chromium.launchServer({ executablePath: process.argv[2], args: FLAGS });
console.log(`browser at ${server.wsEndpoint()}`);
