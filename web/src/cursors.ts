// Cursors in the editor: mine told to the others, theirs drawn here.
//
// y-codemirror.next has a plugin for this, but its carets carry `style` attributes made from what others send, which the
// content security policy forbids, and rightly. Here a person has one of eight classes.

import { type Extension, RangeSetBuilder } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate, WidgetType } from "@codemirror/view";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";

/** The colours of style.css, `--person-0` and on. */
const COLOURS = 8;

const LOOKS = EditorView.baseTheme({
  ".caret": { position: "relative", margin: "0 -1px", borderLeft: "2px solid var(--person)" },
  ".caret-name": {
    position: "absolute",
    bottom: "1.1em",
    left: "-2px",
    padding: "0 0.4em",
    borderRadius: "0.3em",
    background: "var(--person)",
    color: "#fff",
    fontSize: "0.8rem",
    lineHeight: "1.3",
    whiteSpace: "nowrap",
    pointerEvents: "none",
  },
  ".selection": { background: "color-mix(in srgb, var(--person) 30%, transparent)" },
  ...Object.fromEntries(
    Array.from({ length: COLOURS }, (_, number) => [`.person-${number}`, { "--person": `var(--person-${number})` }]),
  ),
});

/** What a person tells of themselves. It comes from others, so any of it may be missing or wrong. */
export interface Present {
  user?: { id?: unknown; name?: unknown };
  cursor?: { anchor?: unknown; head?: unknown } | null;
}

interface Placed {
  from: number;
  to: number;
  head: number;
  colour: number;
  name: string;
}

/** The colour of a person, the same for all who look. */
export function colourOf(present: Present): number {
  return [...textOf(present.user?.id)].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7) % COLOURS;
}

/** The name of a person, short enough for a label. */
export function nameOf(present: Present): string {
  return textOf(present.user?.name) || "somebody";
}

/** Not String(…): that runs `toString` of what others send, and an object can bring one that is no function. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 36) : "";
}

/** Cursors of everybody in `awareness` who is in `text`. */
export function cursors(text: Y.Text, awareness: Awareness): Extension {
  class Cursors {
    decorations: DecorationSet = Decoration.none;

    constructor(private readonly view: EditorView) {
      awareness.on("change", this.moved);
      this.draw();
    }

    destroy(): void {
      awareness.off("change", this.moved);
    }

    update(update: ViewUpdate): void {
      if (update.selectionSet || update.docChanged || update.focusChanged) this.tell();
      this.draw();
    }

    /** Tell where my cursor is, as positions that stay where they are when others type before them. */
    private tell(): void {
      const { anchor, head } = this.view.state.selection.main;
      const place = (index: number) => Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, index));
      const cursor = this.view.hasFocus ? { anchor: place(anchor), head: place(head) } : null;
      const told = awareness.getLocalState()?.cursor ?? null;
      if (JSON.stringify(told) !== JSON.stringify(cursor)) awareness.setLocalStateField("cursor", cursor);
    }

    private readonly moved = ({ added, updated, removed }: Record<"added" | "updated" | "removed", number[]>): void => {
      const others = [...added, ...updated, ...removed].some((client) => client !== awareness.clientID);
      if (others) this.view.dispatch({}); // an update without changes: the decorations are read again
    };

    private draw(): void {
      const builder = new RangeSetBuilder<Decoration>();
      for (const { from, value, to } of this.marks()) builder.add(from, to, value);
      this.decorations = builder.finish();
    }

    private marks(): { from: number; to: number; value: Decoration }[] {
      const marks = placed(text, awareness, this.view.state.doc.length).flatMap(({ from, to, head, colour, name }) => {
        const caret = { from: head, to: head, value: Decoration.widget({ side: 1, widget: new Caret(colour, name) }) };
        const selection = { from, to, value: Decoration.mark({ class: `selection person-${colour}` }) };
        return from < to ? [caret, selection] : [caret];
      });
      return marks.sort((one, other) => one.from - other.from || one.value.startSide - other.value.startSide);
    }
  }

  return [LOOKS, ViewPlugin.fromClass(Cursors, { decorations: (plugin) => plugin.decorations })];
}

/** Where the others' cursors are, as far as they can be understood. */
function placed(text: Y.Text, awareness: Awareness, length: number): Placed[] {
  const found: Placed[] = [];
  for (const [client, state] of awareness.getStates() as Map<number, Present>) {
    if (client === awareness.clientID || !state.cursor) continue;
    const anchor = indexOf(state.cursor.anchor, text);
    const head = indexOf(state.cursor.head, text);
    if (anchor === null || head === null || Math.max(anchor, head) > length) continue;
    const [from, to] = [Math.min(anchor, head), Math.max(anchor, head)];
    found.push({ from, to, head, colour: colourOf(state), name: nameOf(state) });
  }
  return found;
}

/** The index that a relative position stands for; `null` for what is none, or is not in this text. */
function indexOf(position: unknown, text: Y.Text): number | null {
  try {
    const relative = Y.createRelativePositionFromJSON(position);
    const absolute = text.doc && Y.createAbsolutePositionFromRelativePosition(relative, text.doc);
    return absolute && absolute.type === text ? absolute.index : null;
  } catch {
    return null; // anybody may send anything
  }
}

class Caret extends WidgetType {
  constructor(
    private readonly colour: number,
    private readonly name: string,
  ) {
    super();
  }

  override eq(other: Caret): boolean {
    return other.colour === this.colour && other.name === this.name;
  }

  toDOM(): HTMLElement {
    const label = document.createElement("span");
    label.className = "caret-name";
    label.textContent = this.name;
    const caret = document.createElement("span");
    caret.className = `caret person-${this.colour}`;
    caret.setAttribute("aria-hidden", "true");
    caret.append(label);
    return caret;
  }
}
