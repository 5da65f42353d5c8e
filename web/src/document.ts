// The shared document: choosing one, the editor, who else is in it, and whether everything is saved.

import { defaultKeymap } from "@codemirror/commands";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import { colourOf, cursors, nameOf, type Present } from "./cursors";
import { DocumentLink, type Standing } from "./document_link";
import { attempt, byId, el, type Fields, offer, onSend } from "./dom";
import type { Hub } from "./hub";
import type { People } from "./people";
import type { Page, Rest } from "./rest";
import type { User } from "./session";

const STANDINGS: Record<Standing, string> = {
  opening: "opening…",
  saved: "✓ saved",
  saving: "saving…",
  read: "read only",
  offline: "offline: what you type is kept here",
  refused: "not saved",
};

const LEAVING = "Not everything that you typed is saved. Leave this document without it?";

const LOOKS = EditorView.theme({
  "&": { border: "1px solid var(--line)", borderRadius: "0.4rem", background: "var(--ground)", maxHeight: "60vh" },
  "&.cm-focused": { outline: "2px solid var(--accent)" },
  ".cm-scroller": { font: "inherit", overflow: "auto" },
  ".cm-content": { minHeight: "10rem", padding: "1.4rem 0.4rem 0.4rem", caretColor: "var(--text)" },
});

interface DocumentView {
  id: string;
  title: string;
  role: "owner" | "editor" | "commenter" | "viewer";
}

export class SharedDocument {
  private link: DocumentLink | null = null;
  private editor: EditorView | null = null;
  private documents: DocumentView[] = [];
  private readonly choice = byId("document-choice", HTMLSelectElement);
  private readonly share = byId("document-share", HTMLFormElement);
  /**
   * Where the editor is. In a shadow root CodeMirror makes its style sheets by script, which the content security policy
   * lets pass; in the document itself it would insert <style> elements.
   */
  private readonly place = byId("editor", HTMLElement).shadowRoot ?? byId("editor", HTMLElement).attachShadow({ mode: "open" });
  private readonly here = byId("document-people", HTMLElement);

  constructor(
    private readonly rest: Rest,
    private readonly hub: Hub,
    private readonly people: People,
    private readonly me: User,
  ) {
    this.choice.onchange = () => void attempt(() => this.open(this.choice.value));
    this.choice.onfocus = () => void attempt(() => this.list()); // somebody may have shared one meanwhile
    onSend(byId("document-new", HTMLFormElement), (fields) => this.create(fields));
    onSend(this.share, (fields) => this.letIn(fields.text("person")));
    window.onhashchange = () => void attempt(() => this.openLinked());
    window.onbeforeunload = (event) => {
      if (this.link?.hasUnsaved) event.preventDefault();
    };
    hub.onReady(() => void attempt(() => this.list()));
    void attempt(() => this.openLinked());
  }

  close(): void {
    this.editor?.destroy();
    this.link?.close();
    this.editor = this.link = null;
    this.here.replaceChildren();
    byId("document-shared", HTMLElement).textContent = "";
    this.showStanding("opening", "");
  }

  private async list(): Promise<void> {
    const page = await this.rest.get<Page<DocumentView>>("/documents?limit=100");
    this.documents = page.data;
    this.showChoice();
  }

  private async create(fields: Fields): Promise<void> {
    const made = await this.rest.post<DocumentView>("/documents", { title: fields.text("title") });
    fields.clear(); // before the choice, which is in the same form
    this.documents.unshift(made);
    this.open(made.id);
  }

  /** The address names the document, so a reload opens it again and a link to it can be sent to somebody. */
  private async openLinked(): Promise<void> {
    const documentId = new URLSearchParams(location.hash.slice(1)).get("document");
    if (!documentId || documentId === this.link?.documentId) return;
    const hash = location.hash;
    const found = await this.rest.get<DocumentView>(`/documents/${documentId}`);
    if (location.hash !== hash) return; // another was chosen meanwhile
    this.documents = [found];
    this.open(documentId);
    await this.list();
  }

  private open(documentId: string): void {
    if (this.link?.hasUnsaved && !confirm(LEAVING)) {
      location.hash = linkTo(this.link.documentId);
      return this.showChoice();
    }
    this.close();
    location.hash = linkTo(documentId);
    if (documentId === "") return this.showChoice();
    const link = new DocumentLink(this.hub, documentId);
    this.link = link;
    link.awareness.setLocalState({ user: { id: this.me.id, name: this.me.displayName || this.me.username } });
    link.awareness.on("change", () => this.showHere(link));
    link.changed = (standing, reason) => this.showStanding(standing, reason);
    this.showChoice();
    this.showHere(link);
  }

  private edit(link: DocumentLink, readOnly: boolean): EditorView {
    const text = link.doc.getText("text");
    const state = EditorState.create({
      doc: text.toString(),
      extensions: [
        keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": "Text of the document" }),
        EditorState.readOnly.of(readOnly),
        yCollab(text, null),
        cursors(text, link.awareness),
        LOOKS,
      ],
    });
    return new EditorView({ state, parent: this.place, root: this.place });
  }

  private async letIn(userId: string): Promise<void> {
    if (!this.link) return;
    await this.rest.post(`/documents/${this.link.documentId}/members`, { userId, role: "editor" });
    byId("document-shared", HTMLElement).textContent = `${this.people.nameOf(userId)} may write here now.`;
  }

  private showChoice(): void {
    const open = this.link?.documentId ?? "";
    offer(this.choice, [["", "choose…"], ...this.documents.map(({ id, title }) => [id, title] as const)]);
    this.choice.value = open;
    this.share.hidden = !this.documents.some((one) => one.id === open && one.role === "owner");
    const person = this.share.elements.namedItem("person");
    if (person instanceof HTMLSelectElement) offer(person, this.people.all().map(({ id, username }) => [id, username]));
  }

  /** Somebody new can be shared with. */
  peopleChanged(): void {
    this.showChoice();
  }

  private showStanding(standing: Standing, reason: string): void {
    const shown = byId("document-state", HTMLElement);
    shown.textContent = this.link ? [STANDINGS[standing], reason].filter(Boolean).join(": ") : "";
    shown.dataset.standing = standing;
    if (!this.link || standing === "opening" || standing === "offline") return;
    // The editor appears with the text, and is made anew when the right to write comes or goes.
    const readOnly = standing === "read" || standing === "refused";
    if (this.editor?.state.readOnly === readOnly) return;
    this.editor?.destroy();
    this.editor = this.edit(this.link, readOnly);
  }

  private showHere({ awareness }: DocumentLink): void {
    const others = [...awareness.getStates()].filter(([client]) => client !== awareness.clientID);
    const names = others.map(([, state]) => el("span", { className: `chip person-${colourOf(state as Present)}` }, nameOf(state as Present)));
    this.here.replaceChildren(...(names.length ? ["with ", ...names] : []));
  }
}

/** What stands behind the # of the page's address; nothing for no document. */
function linkTo(documentId: string): string {
  return documentId && new URLSearchParams({ document: documentId }).toString();
}
