// Pictures of the page for the documentation: on a desk, in the dark on a phone, and in a call.

import { befriend, browse, openDocument, person, publish, signUp, until } from "./browser.mjs";
import { input } from "./hub.mjs";

const TEXT = "Minutes of Monday\n\nPresent: Ada, Bob.\nThe lights on the pier stay on until midnight.\n";

browse(async (open) => {
  const desk = { viewport: { width: 1080, height: 900 }, colorScheme: "light" };
  const phone = { viewport: { width: 390, height: 844 }, colorScheme: "dark", isMobile: true, hasTouch: true };
  const [ada, bob] = [await open(input.nodes[0], desk), await open(input.nodes[1], phone)];
  await Promise.all([signUp(ada, "ada"), signUp(bob, "bob")]);
  await befriend(ada, bob);
  await publish(ada, "The pier at night", "Forty lamps, and one that flickers. I went to see which.");
  await openDocument(ada, bob, "Minutes", "bob");
  await ada.getByLabel("Text of the document").click();
  await ada.getByLabel("Text of the document").pressSequentially(TEXT);
  await bob.getByLabel("Text of the document").click();
  await bob.getByLabel("Text of the document").press("Control+End");
  await bob.getByLabel("Text of the document").pressSequentially("Bob brings the");
  await ada.getByText("Bob brings the").waitFor();
  await talk(ada);

  await picture(ada, "page");
  await picture(bob, "phone");
  await person(ada, "bob").getByRole("button").click();
  await bob.getByRole("button", { name: "Accept" }).click();
  await until(ada, () => document.getElementById("their-video").getVideoPlaybackQuality().totalVideoFrames, (frames) => frames > 10);
  await picture(ada, "call", ada.locator("#call"));
  return {};
});

async function talk(page) {
  await page.getByText("Make a new one").click();
  await page.getByLabel("Name", { exact: true }).fill("Lumen");
  await page.getByLabel("Interests").fill("tea, night trains");
  await page.locator("#companion-new").getByRole("button", { name: "Create" }).click();
  await page.locator("#companion-choice option", { hasText: "Lumen" }).waitFor({ state: "attached" });
  await page.getByText("Make a new one").click();
  await page.getByLabel("Message").fill("I like night trains, and tea on them.");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#companion-talk .theirs footer").waitFor();
}

/** Small ones: a repository keeps every version for ever. */
function picture(page, name, part = page) {
  return part.screenshot({ path: `${input.pictures}/${name}.png`, scale: "css", ...(part === page && { fullPage: true }) });
}
