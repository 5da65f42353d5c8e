// Posts: the latest ones, those of whom I follow as they are published, and who is writing on one.

import { attempt, byId, button, el, onPress, onSend } from "./dom";
import type { Hub } from "./hub";
import { HubError } from "./hub_error";
import type { People } from "./people";
import type { Page, Rest } from "./rest";
import type { User } from "./session";
import { Typing, Typists } from "./typing";

const SHOWN = 20;

export interface Post {
  id: string;
  title: string;
  content: { blocks: { type: string; text?: unknown }[] };
  author: User | null;
}

export class Posts {
  /** What the author can have done with a post, beside writing on it. */
  mint: (post: Post) => Promise<void> = async () => {};

  private readonly list = byId("post-list", HTMLOListElement);
  private readonly form = byId("post-form", HTMLFormElement);
  private readonly items = new Map<string, HTMLLIElement>();
  private readonly typing: Typing;
  private edited: Post | null = null;

  constructor(
    private readonly rest: Rest,
    private readonly hub: Hub,
    private readonly people: People,
    private readonly me: User,
  ) {
    this.list.replaceChildren();
    this.typing = new Typing(hub, this.field("text"));
    new Typists(hub, (room, userIds) => this.showTypists(room, userIds));
    onSend(this.form, (fields) => this.publish(fields.text("title"), fields.text("text")));
    onPress(byId("post-cancel", HTMLButtonElement), () => this.edit(null));
    hub.on<{ content: Post }>("content:new", ({ content }) => void this.show(content));
    hub.on<{ content: Post }>("content:updated", ({ content }) => void this.show(content));
    hub.on<{ contentId: string }>("content:removed", ({ contentId }) => this.remove(contentId));
    hub.onReady(() => void attempt(() => this.start()));
  }

  /** After each connect: what happened meanwhile is not repeated, and a new connection watches nothing yet. */
  private async start(): Promise<void> {
    const before = [...this.items.keys()];
    const page = await this.rest.get<Page<Post>>(`/posts?limit=${SHOWN}`);
    const latest = new Set(page.data.map(({ id }) => id));
    for (const id of before) if (!latest.has(id)) this.remove(id); // withdrawn, or older than those by now
    for (const post of page.data.reverse()) this.put(post);
    await Promise.all([...this.items.keys()].map((id) => this.watch(id)));
  }

  private async publish(title: string, text: string): Promise<void> {
    const blocks = text.split(/\n{2,}/).map((paragraph) => ({ type: "paragraph", text: paragraph }));
    const written = { title, content: { blocks } };
    const post = this.edited
      ? await this.rest.patch<Post>(`/posts/${this.edited.id}`, written)
      : await this.rest.post<Post>("/posts", { ...written, status: "PUBLISHED" });
    this.edit(null);
    await this.show(post);
  }

  /** Write on a post of mine; `null`: on a new one. Those who look at the post see that somebody writes. */
  private edit(post: Post | null): void {
    this.edited = post;
    this.typing.in(post && room(post.id));
    this.field("title").value = post?.title ?? "";
    this.field("text").value = post ? textOf(post) : "";
    byId("post-publish", HTMLButtonElement).textContent = post ? "Change" : "Publish";
    byId("post-cancel", HTMLButtonElement).hidden = post === null;
    if (post) this.field("text").focus();
  }

  /** Show a post, and hear what happens to it. */
  private async show(post: Post): Promise<void> {
    if (this.put(post)) await this.watch(post.id);
  }

  /** Put a post into the list, or in the place of its older state. True if it is new there. */
  private put(post: Post): boolean {
    const item = this.item(post);
    const before = this.items.get(post.id);
    this.items.set(post.id, item);
    if (before) {
      before.replaceWith(item);
      return false;
    }
    this.list.prepend(item);
    for (const old of [...this.items.keys()].slice(0, -SHOWN)) this.remove(old, true);
    return true;
  }

  private async watch(contentId: string): Promise<void> {
    try {
      await this.hub.ask("content:subscribe", { contentId });
    } catch (error) {
      // Offline: the next connection begins anew. Not found: withdrawn a moment ago.
      if (error instanceof HubError && error.code === "not_found") this.remove(contentId);
    }
  }

  private remove(contentId: string, watched = false): void {
    if (watched) this.hub.ask("content:unsubscribe", { contentId }).catch(() => {});
    this.items.get(contentId)?.remove();
    this.items.delete(contentId);
  }

  private item(post: Post): HTMLLIElement {
    const author = post.author;
    const mine = author?.id === this.me.id;
    const by = author ? author.displayName || author.username : "somebody";
    const item = el("li", {}, el("h3", {}, post.title), el("p", { className: "by" }, `by ${mine ? "you" : by} `));
    item.append(...textOf(post).split("\n\n").map((text) => el("p", {}, text)));
    const acts = el("p", { className: "acts" });
    if (mine && isPlain(post)) acts.append(button("Edit", () => this.edit(post)), " ");
    if (mine) acts.append(button("Mint", () => this.mint(post)));
    if (author && !mine) acts.append(button(`Follow ${by}`, () => this.people.follow(author)));
    item.append(acts, el("p", { className: "typing" }));
    item.dataset.post = post.id;
    return item;
  }

  private showTypists(where: string, userIds: string[]): void {
    for (const [contentId, item] of this.items) {
      const line = item.querySelector(".typing");
      if (line && room(contentId) === where) line.textContent = userIds.length ? `${this.names(userIds)} writing…` : "";
    }
  }

  private names(userIds: string[]): string {
    return userIds.map((userId) => this.people.nameOf(userId)).join(", ") + (userIds.length > 1 ? " are" : " is");
  }

  private field(name: string): HTMLInputElement | HTMLTextAreaElement {
    return this.form.elements.namedItem(name) as HTMLInputElement | HTMLTextAreaElement;
  }
}

function room(contentId: string): string {
  return `content:${contentId}`;
}

/** The paragraphs. Blocks of other editors may be anything; what has no text is left out. */
function textOf({ content }: Post): string {
  return content.blocks.flatMap(({ text }) => (typeof text === "string" ? [text] : [])).join("\n\n");
}

/** Whether this page can write on it without losing anything. */
function isPlain({ content }: Post): boolean {
  return content.blocks.every((block) => block.type === "paragraph" && Object.keys(block).sort().join() === "text,type");
}
