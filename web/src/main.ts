// The page: the door for those outside, the rooms for who is signed in.

import { CallView } from "./call_view";
import { Talk } from "./companion";
import { SharedDocument } from "./document";
import { byId, notice, onPress, onSend } from "./dom";
import { Hub } from "./hub";
import { People } from "./people";
import { Posts } from "./posts";
import { PrivacyChoice } from "./privacy";
import { Rest } from "./rest";
import { Session } from "./session";
import { WalletLine } from "./wallet";

const FAREWELL = "sparkle-farewell";
const door = byId("door", HTMLElement);
const rooms = byId("rooms", HTMLElement);
const me = byId("me", HTMLElement);

/** Show the rooms to somebody, until the session ends. */
function enter(session: Session): void {
  const hub = new Hub(session, (text) => (byId("connection", HTMLElement).textContent = text));
  const rest = new Rest(() => session.token());
  const calls = new CallView(hub, session.user, () => people);
  const people: People = new People(rest, hub, session.user, (user) => calls.place(user));
  const shared = new SharedDocument(rest, hub, people, session.user);
  const posts = new Posts(rest, hub, people, session.user);
  const wallet = new WalletLine(rest, hub);
  new Talk(rest, hub);
  new PrivacyChoice(rest);
  people.changed = () => shared.peopleChanged();
  posts.mint = (post) => wallet.mint(post);

  // A new page for whoever comes next: nothing of this person stays, neither shown nor in memory.
  session.ended = (why) => {
    hub.close();
    if (why) sessionStorage.setItem(FAREWELL, why);
    location.reload();
  };
  onPress(byId("sign-out", HTMLButtonElement), async () => {
    await calls.hangUp();
    location.hash = ""; // the document is not for the next person's eyes
    await session.signOut();
  });
  byId("my-name", HTMLElement).textContent = session.user.displayName || session.user.username;
  door.hidden = true;
  rooms.hidden = me.hidden = false;
  hub.open();
}

const form = byId("credentials", HTMLFormElement);

onSend(form, async (fields) => {
  const [username, password, email] = [fields.text("username"), fields.raw("password"), fields.text("email")];
  const isNew = fields.text("way") === "sign-up";
  if (isNew && !email) throw new Error("A new account needs an email address.");
  enter(await (isNew ? Session.signUp(username, password, email) : Session.signIn(username, password)));
  form.reset();
});

const restored = Session.restored();
if (restored) {
  enter(restored);
} else {
  door.hidden = false;
  notice(sessionStorage.getItem(FAREWELL) ?? "");
  sessionStorage.removeItem(FAREWELL);
}
