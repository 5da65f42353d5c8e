// Who sees my presence, and when I was last there; who may call me.

import { attempt, byId } from "./dom";
import type { Rest } from "./rest";

interface Privacy {
  presence: string;
  lastSeen: string;
  calls: string;
}

export class PrivacyChoice {
  private readonly choices: Record<keyof Privacy, HTMLSelectElement> = {
    presence: byId("privacy-presence", HTMLSelectElement),
    lastSeen: byId("privacy-last-seen", HTMLSelectElement),
    calls: byId("privacy-calls", HTMLSelectElement),
  };

  constructor(private readonly rest: Rest) {
    byId("privacy", HTMLDetailsElement).ontoggle = () => void attempt(async () => this.show(await rest.get<Privacy>("/users/me/privacy")));
    this.choices.presence.onchange = () => void attempt(() => this.choose("presence"));
    this.choices.lastSeen.onchange = () => void attempt(() => this.choose("lastSeen"));
    this.choices.calls.onchange = () => void attempt(() => this.choose("calls"));
  }

  private async choose(what: keyof Privacy): Promise<void> {
    this.show(await this.rest.patch<Privacy>("/users/me/privacy", { [what]: this.choices[what].value }));
  }

  private show(privacy: Privacy): void {
    this.choices.presence.value = privacy.presence;
    this.choices.lastSeen.value = privacy.lastSeen;
    this.choices.calls.value = privacy.calls;
  }
}
