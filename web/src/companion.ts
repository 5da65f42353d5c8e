// A companion to talk to: its reply as it comes, what wrote it, and the memories it used.

import { attempt, byId, el, type Fields, offer, onPress, onSend } from "./dom";
import type { Hub } from "./hub";
import { newUlid } from "./ids";
import type { Page, Rest } from "./rest";

interface Companion {
  id: string;
  name: string;
}

interface Conversation {
  id: string;
}

interface Message {
  id: string;
  role: "user" | "assistant";
  text: string;
  status: string;
  responder: string | null;
}

interface Started {
  conversationId: string;
  messageId: string;
}

interface Delta {
  messageId: string;
  seq: number;
  text: string;
}

interface Done {
  messageId: string;
  text: string;
  status: "done" | "cancelled" | "failed";
  responder: string;
  memories: { text: string }[];
}

const EARLIER = 20;

export class Talk {
  private readonly choice = byId("companion-choice", HTMLSelectElement);
  private readonly log = byId("companion-talk", HTMLElement);
  private readonly cancel = byId("companion-cancel", HTMLButtonElement);
  private companions: Companion[] = [];
  private conversationId: string | null = null;
  /** The message that was sent last without an answer. Sent again under the same id, it is said once. */
  private unanswered: { message: string; clientId: string } | null = null;
  /** Replies by message id. Pieces can come before the acknowledgement that says which message they answer. */
  private readonly replies = new Map<string, Reply>();
  /** What is said waits until the conversation is there that it belongs to. */
  private reading: Promise<void> = Promise.resolve();
  /** Counts what is shown in the log, so that an answer to an earlier question is not put into it. */
  private turn = 0;

  constructor(
    private readonly rest: Rest,
    private readonly hub: Hub,
  ) {
    this.log.replaceChildren();
    const making = byId("companion-new", HTMLFormElement);
    const saying = byId("companion-say", HTMLFormElement);
    onSend(making, async (fields) => {
      await this.make(fields);
      fields.clear();
      this.choose();
    });
    onSend(saying, async (fields) => {
      const message = fields.text("message");
      if (!message) return;
      await this.say(message);
      fields.clear();
    });
    onPress(this.cancel, () => this.stop());
    this.choice.onchange = () => void attempt(() => (this.reading = this.change()));
    hub.on<Delta>("companion:delta", ({ messageId, seq, text }) => this.reply(messageId).add(seq, text));
    hub.on<Done>("companion:done", (done) => this.finished(done));
    hub.onReady(() => void attempt(() => (this.reading = this.start())));
  }

  private async start(): Promise<void> {
    this.companions = (await this.rest.get<Page<Companion>>("/ai/companions?limit=100")).data;
    const chosen = this.choice.value;
    this.showChoice();
    if (this.choice.value !== chosen) this.choose(); // that companion is gone
    await this.read(); // also what was said while the connection was away
  }

  private async make(fields: Fields): Promise<void> {
    const interests = fields.text("interests").split(",").map((one) => one.trim());
    const made = await this.rest.post<Companion>("/ai/companions", {
      name: fields.text("name"),
      personalityTraits: { agreeableness: Number(fields.text("agreeableness")), openness: Number(fields.text("openness")) },
      interests: interests.filter(Boolean),
    });
    this.companions.unshift(made);
    this.showChoice();
    this.choice.value = made.id;
    this.choose();
  }

  private async change(): Promise<void> {
    this.choose();
    await this.read();
  }

  /** Begin anew with the chosen companion. */
  private choose(): void {
    this.turn++;
    this.conversationId = null;
    this.replies.clear();
    this.log.replaceChildren();
    this.showCancel();
  }

  /** Show the latest conversation with the chosen companion, in the place of what is shown. */
  private async read(): Promise<void> {
    const turn = ++this.turn;
    const companionId = this.choice.value;
    if (!companionId) return;
    const path = `/ai/companions/${companionId}/conversations`;
    const [latest] = (await this.rest.get<Page<Conversation>>(`${path}?limit=1`)).data;
    if (!latest) return;
    const messages = (await this.rest.get<Page<Message>>(`${path}/${latest.id}/messages?limit=${EARLIER}`)).data;
    if (turn !== this.turn) return; // another was chosen meanwhile, or the same one is read anew
    this.conversationId = latest.id;
    this.log.replaceChildren();
    for (const message of messages.reverse()) this.show(message);
    this.showCancel();
  }

  private show({ id, role, text, status, responder }: Message): void {
    if (role === "user") return this.append(said(text));
    const reply = this.reply(id);
    this.append(reply.element);
    if (status !== "generating" && reply.running) reply.finish(text, "", responder ?? "", []);
  }

  private async say(message: string): Promise<void> {
    await this.reading.catch(() => {}); // whoever began it shows what went wrong
    const companionId = this.choice.value;
    if (!companionId) throw new Error("Make a companion first.");
    const mine = said(message);
    this.append(mine);
    try {
      const started = await this.send(companionId, message);
      this.conversationId = started.conversationId;
      const reply = this.reply(started.messageId).element;
      if (reply.isConnected) mine.remove(); // said before, without an answer, and read from the hub since
      else this.append(reply);
      this.showCancel();
    } catch (error) {
      mine.remove();
      throw error;
    }
  }

  private async send(companionId: string, message: string): Promise<Started> {
    if (this.unanswered?.message !== message) this.unanswered = { message, clientId: newUlid() };
    const conversation = this.conversationId && { conversationId: this.conversationId };
    const started = await this.hub.ask<Started>("companion:chat", { companionId, ...this.unanswered, ...conversation });
    this.unanswered = null;
    return started;
  }

  private async stop(): Promise<void> {
    const [messageId] = [...this.replies].find(([, reply]) => reply.running) ?? [];
    if (messageId) await this.hub.ask("companion:cancel", { messageId });
  }

  private finished({ messageId, text, status, responder, memories }: Done): void {
    const ending = { done: "", cancelled: "stopped", failed: "broke off" }[status];
    this.reply(messageId).finish(text, ending, responder, memories.map((one) => one.text));
    this.showCancel();
  }

  private reply(messageId: string): Reply {
    const reply = this.replies.get(messageId) ?? new Reply();
    this.replies.set(messageId, reply);
    return reply;
  }

  private append(element: HTMLElement): void {
    this.log.append(element);
    this.log.scrollTop = this.log.scrollHeight;
  }

  private showChoice(): void {
    const names = this.companions.map(({ id, name }) => [id, name] as const);
    offer(this.choice, names.length > 0 ? names : [["", "nobody yet"]]);
  }

  private showCancel(): void {
    this.cancel.hidden = ![...this.replies.values()].some((reply) => reply.running && reply.element.isConnected);
  }
}

/** A reply while it comes. Screen readers hear it when it is whole. */
class Reply {
  readonly element = el("article", { className: "theirs" });
  running = true;
  private readonly text = el("p", {}, "…");
  private readonly pieces: string[] = [];

  constructor() {
    this.element.setAttribute("aria-busy", "true");
    this.element.append(this.text);
  }

  add(seq: number, text: string): void {
    if (!this.running) return;
    this.pieces[seq - 1] = text;
    this.text.textContent = this.pieces.join("");
  }

  finish(text: string, ending: string, responder: string, memories: string[]): void {
    this.running = false;
    this.text.textContent = text;
    const source = el("footer", {}, [responder && `by ${responder}`, ending].filter(Boolean).join(", "));
    this.element.replaceChildren(this.text, source);
    if (memories.length > 0) {
      const list = el("ul", {}, ...memories.map((memory) => el("li", {}, memory)));
      this.element.append(el("details", {}, el("summary", {}, "Memories used"), list));
    }
    this.element.setAttribute("aria-busy", "false");
  }
}

function said(text: string): HTMLElement {
  return el("article", { className: "mine" }, el("p", {}, text));
}
