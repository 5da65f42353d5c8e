// Somebody with a wallet: connecting it by a signature, and minting a post, with every state until it is confirmed.

import { getBytes, Wallet } from "ethers";
import { browse, publish, signUp } from "./browser.mjs";
import { input } from "./hub.mjs";

browse(async (open) => {
  const wallet = Wallet.createRandom();
  const page = await open(input.nodes[0], { prepare: (context) => inject(context, wallet) });
  await signUp(page, input.ada);
  await publish(page, "Worth keeping", "Something to own.");

  await page.getByRole("button", { name: "Connect a wallet" }).click();
  await page.getByText("You said no.").waitFor({ timeout: 30_000 });
  await page.getByRole("button", { name: "Connect a wallet" }).click();
  const shown = page.locator("#wallet-state", { hasText: "on chain" });
  await shown.waitFor({ timeout: 30_000 }); // the embedded chain starts now
  await page.evaluate(recordStates);
  await page.getByRole("button", { name: "Mint" }).click();
  await page.locator("#wallet-transactions [data-state=confirmed]").waitFor({ timeout: 30_000 });
  const minted = await page.locator("#wallet-transactions li").textContent();
  const states = await page.evaluate(() => window.states);
  const answered = page.waitForResponse((response) => response.url().endsWith("/blockchain/nft/mint"));
  await page.getByRole("button", { name: "Mint" }).click();
  await answered;
  const again = await page.locator("#wallet-transactions li").allTextContents();
  return { address: wallet.address, shown: await shown.textContent(), states, minted, again };
});

/** A wallet as extensions put it into pages (EIP-1193). Its key stays out here, as a real one's stays in the extension. */
async function inject(context, wallet) {
  await context.exposeFunction("walletSigns", (hex) => wallet.signMessage(getBytes(hex)));
  await context.addInitScript((address) => {
    let asked = 0;
    window.ethereum = {
      async request({ method, params }) {
        if (!asked++) throw { code: 4001, message: "You said no." }; // wallets throw objects that are no errors
        if (method === "eth_requestAccounts") return [address];
        if (method === "personal_sign" && params[1] === address) return window.walletSigns(params[0]);
        throw Object.assign(new Error(`no ${method}`), { code: 4200 });
      },
    };
  }, wallet.address);
}

/** In the page: keep every state that the list shows, in order. */
function recordStates() {
  window.states = [];
  new MutationObserver(() => {
    const state = document.querySelector("#wallet-transactions li")?.dataset.state;
    if (state && window.states.at(-1) !== state) window.states.push(state);
  }).observe(document.getElementById("wallet-transactions"), { subtree: true, childList: true, attributes: true });
}
