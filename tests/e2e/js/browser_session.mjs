// One page over time: reloaded, cut off while somebody types, with a right withdrawn, signed out.

import { browse, connected, createDocument, documentText, signUp } from "./browser.mjs";
import { input } from "./hub.mjs";

browse(async (open) => {
  const page = await open(input.nodes[0]);
  await signUp(page, input.ada);
  const seen = {};

  await createDocument(page, "Alone");
  const editor = page.getByLabel("Text of the document");
  await editor.click();
  await editor.pressSequentially(input.text);
  await page.getByText("✓ saved").waitFor();

  await page.reload();
  await connected(page);
  await page.getByText("✓ saved").waitFor();
  seen.nameAfterReload = await page.locator("#my-name").textContent();
  seen.textAfterReload = await documentText(page);

  await page.evaluate(() => window.sockets.forEach((socket) => socket.close()));
  await page.getByText("reconnecting…").waitFor();
  seen.offline = await page.locator("#document-state").textContent(); // now: where typing is slow, it is back before the end
  await editor.click();
  await page.keyboard.press("Control+End");
  await editor.pressSequentially(" and typed alone");
  await connected(page);
  await page.getByText("✓ saved").waitFor();
  await page.reload();
  await page.getByText("✓ saved").waitFor();
  seen.textAfterReconnect = await documentText(page);

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  seen.kept = await page.evaluate(() => sessionStorage.length + localStorage.length);
  return seen;
});
