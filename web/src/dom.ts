// Elements: finding those of index.html, making new ones, and telling the reader what went wrong.

/** The element with this id. index.html and the code belong together, so a missing one is a bug. */
export function byId<E extends HTMLElement>(id: string, kind: new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}`);
  return found;
}

/** A new element. Strings become text and never markup, whoever wrote them. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  given: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), given);
  made.append(...children);
  return made;
}

/** A button that does something, and cannot be pressed again before that is done. */
export function button(label: string, act: () => unknown): HTMLButtonElement {
  const made = el("button", { type: "button" }, label);
  onPress(made, act);
  return made;
}

/** Let a button do something; a failure is shown. */
export function onPress(pressed: HTMLButtonElement, act: () => unknown): void {
  pressed.addEventListener("click", async () => {
    pressed.disabled = true;
    notice("");
    await attempt(act);
    pressed.disabled = false;
  });
}

/** Let a form do something with its fields, one sending at a time; a failure is shown, and what was typed stays. */
export function onSend(form: HTMLFormElement, act: (fields: Fields) => unknown): void {
  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    notice("");
    await attempt(() => act(new Fields(form, event.submitter)));
    busy = false;
  });
}

/** What stood in a form when it was sent. */
export class Fields {
  private readonly data: FormData;

  constructor(
    private readonly form: HTMLFormElement,
    submitter: HTMLElement | null,
  ) {
    this.data = new FormData(form, submitter);
  }

  /** Empty the form, unless something else was typed since. */
  clear(): void {
    const isSame = [...new FormData(this.form)].every(([name, value]) => this.data.get(name) === value);
    if (isSame) this.form.reset();
  }

  /** The text of a field, without the spaces around it. */
  text(name: string): string {
    return this.raw(name).trim();
  }

  /** The text of a field as it was typed: passwords may begin with a space. */
  raw(name: string): string {
    return String(this.data.get(name) ?? "");
  }
}

/** Do something, and show it if it fails. */
export async function attempt(act: () => unknown): Promise<void> {
  try {
    await act();
  } catch (error) {
    notice(reason(error));
  }
}

/** What went wrong, for the reader. Wallets throw objects that have a message and are no errors. */
function reason(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === "string" ? message : String(error);
}

/** Say something to the reader, at the top of the page and to screen readers; an empty text takes it back. */
export function notice(text: string): void {
  byId("notice", HTMLElement).textContent = text;
}

/** Replace the choices of a select; what was chosen stays chosen if it is still there. */
export function offer(select: HTMLSelectElement, choices: Iterable<readonly [value: string, label: string]>): void {
  const chosen = select.value;
  select.replaceChildren(...[...choices].map(([value, label]) => el("option", { value }, label)));
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}
