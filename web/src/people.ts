// The people that I follow or who follow me, each with their presence as it is now.

import { attempt, byId, button, el, onSend } from "./dom";
import type { Hub } from "./hub";
import type { Page, Rest } from "./rest";
import type { User } from "./session";

const WATCHED_AT_ONCE = 500;

interface Presence {
  userId: string;
  status: string;
  text?: string;
  version: number;
}

/** A person in the list. The elements stay and their texts change, so that nobody's focus is lost. */
interface Row {
  user: User;
  presence: Presence | null;
  item: HTMLLIElement;
  status: HTMLSpanElement;
}

export class People {
  /** Called when somebody came to the list. */
  changed: () => void = () => {};

  private readonly rows = new Map<string, Row>();
  private readonly list = byId("people-list", HTMLUListElement);
  private readonly myStatus = byId("my-status", HTMLSelectElement);

  constructor(
    private readonly rest: Rest,
    private readonly hub: Hub,
    private readonly me: User,
    private readonly call: (user: User) => Promise<void>,
  ) {
    this.list.replaceChildren();
    byId("my-username", HTMLElement).textContent = me.username;
    this.myStatus.value = "online";
    this.myStatus.onchange = () => void attempt(() => this.announce());
    onSend(byId("people-add", HTMLFormElement), async (fields) => {
      await this.follow(await this.find(fields.text("username")));
      fields.clear();
    });
    hub.on<{ users: Presence[] }>("presence:diff", ({ users }) => users.forEach((one) => this.show(one)));
    hub.onReady(() => void attempt(() => this.start()));
  }

  /** Everybody in the list. */
  all(): User[] {
    return [...this.rows.values()].map((row) => row.user);
  }

  /** How a person is called; somebody unknown is "somebody". */
  nameOf(userId: string): string {
    if (userId === this.me.id) return "you";
    const user = this.rows.get(userId)?.user;
    return user ? user.displayName || user.username : "somebody";
  }

  /** Follow somebody: they are in the list, and their posts arrive by themselves. */
  async follow(user: User): Promise<void> {
    await this.rest.post(`/users/${user.id}/follow`);
    await this.add([user]);
  }

  private async find(username: string): Promise<User> {
    const [user] = (await this.rest.get<Page<User>>(`/users?${new URLSearchParams({ username })}`)).data;
    if (!user) throw new Error(`There is nobody called ${username}.`);
    return user;
  }

  private async start(): Promise<void> {
    if (this.myStatus.value !== "online") await this.announce();
    const lists = ["following", "followers"].map((way) => this.rest.get<Page<User>>(`/users/${this.me.id}/${way}?limit=100`));
    const pages = await Promise.all(lists);
    await this.add(pages.flatMap((page) => page.data));
  }

  private async add(users: User[]): Promise<void> {
    for (const user of users) if (user.id !== this.me.id && !this.rows.has(user.id)) this.enlist(user);
    this.changed();
    const ids = [...this.rows.keys()].slice(0, WATCHED_AT_ONCE);
    const answer = await this.hub.ask<{ users: Presence[] }>("presence:watch", { userIds: ids });
    answer.users.forEach((one) => this.show(one));
  }

  private enlist(user: User): void {
    const name = user.displayName || user.username;
    const status = el("span", { className: "status" }, "offline");
    const item = el("li", {}, el("span", { className: "name" }, name), " ", status, " ");
    const ring = button("Call", () => this.call(user));
    ring.setAttribute("aria-label", `Call ${name}`);
    item.append(ring);
    item.dataset.user = user.username;
    this.list.append(item);
    this.rows.set(user.id, { user, presence: null, item, status });
  }

  /** States arrive from several nodes, so perhaps not in their order. Version 0: there is nothing to see any more. */
  private show(presence: Presence): void {
    const row = this.rows.get(presence.userId);
    if (!row || (row.presence && presence.version && presence.version <= row.presence.version)) return;
    row.presence = presence;
    row.status.textContent = presence.text ? `${presence.status}: ${presence.text}` : presence.status;
    row.item.dataset.status = presence.status;
  }

  private async announce(): Promise<void> {
    await this.hub.ask("presence:update", { status: this.myStatus.value });
  }
}
