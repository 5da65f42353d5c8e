// The staff closes the connection of a page.

import { browse, connected, signUp } from "./browser.mjs";
import { input } from "./hub.mjs";

browse(async (open) => {
  const page = await open(input.nodes[0]);
  await signUp(page, input.ada);
  const answer = await ask("GET", `/users?username=${input.ada}`);
  const done = await ask("POST", "/admin/connections/disconnect", {
    userId: answer.data[0].id,
    reason: "we move house",
  });
  const told = page.locator("#connection", { hasText: "closed by the staff" });
  await told.waitFor();
  const seen = { closed: done.connections, told: await told.textContent() };
  await page.reload();
  await connected(page);
  return seen;
});

async function ask(method, path, body) {
  const headers = { Authorization: `Bearer ${input.admin}`, "Content-Type": "application/json" };
  const response = await fetch(`${input.nodes[1]}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
  return response.json();
}
