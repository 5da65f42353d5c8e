// The changes of a call in their order, each once; what is missing in their numbers is asked for.

const HOLE_MS = 250; // an acknowledgement of one's own that is overtaken by somebody's event is a few ms behind
const MOST_KEPT = 100; // the hub keeps 256 changes

type Act = () => void;

export class Versions {
  /** Called when changes are missing: read the call from `since` on, and `fill`. */
  lacking: () => void = () => {};

  private base = 0;
  private begun = false;
  private sparse = false;
  /** Changes that were taken for one's own. */
  private readonly own = new Set<number>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Beyond the base: what waits for the ones before it, and null for what was done. */
  private readonly beyond = new Map<number, Act | null>();

  /** Everything up to this number has been done. */
  get since(): number {
    return this.base;
  }

  /** Begin after a change. What came before this call waits until now. */
  begin(version: number): void {
    this.begun = true;
    this.reach(version);
  }

  /** In a group the signals between others leave gaps that mean nothing: from now on changes are done as they come. */
  loosen(): void {
    this.sparse = true;
    if (this.begun) this.doAll();
  }

  /** Do somebody's change when its turn comes. One that was had already is dropped. */
  take(version: number, act: Act): void {
    if (this.own.delete(version)) return act(); // it is not mine after all
    if (version <= this.base || this.beyond.has(version)) return;
    this.beyond.set(version, act);
    if (this.begun && this.sparse) this.doAll();
    this.advance();
  }

  /**
   * Number a change of one's own, as the hub acknowledged it. It may be somebody else's: the hub gives the call's version
   * for a repeat of long ago, and for a signal of an older generation, which changes nothing.
   */
  mine(version: number): void {
    if (version <= this.base || this.beyond.has(version)) return;
    this.own.add(version);
    this.beyond.set(version, null);
    this.advance();
    for (const old of this.own) if (old <= version - MOST_KEPT) this.own.delete(old);
  }

  /** Do what was missing: changes as the hub lists them, of a call that stands at `version`. */
  fill(changes: readonly { version: number; act: Act }[], version: number): void {
    for (const change of changes) {
      const isMine = this.own.delete(change.version); // or was taken for it
      if (!isMine && (change.version <= this.base || this.beyond.get(change.version) === null)) continue;
      this.beyond.set(change.version, null);
      change.act();
    }
    this.reach(version);
  }

  close(): void {
    clearTimeout(this.timer);
    this.beyond.clear();
    this.begun = false;
  }

  private reach(version: number): void {
    this.base = Math.max(this.base, version);
    for (const past of [...this.beyond.keys()]) if (past <= this.base) this.beyond.delete(past);
    if (this.sparse) this.doAll();
    this.advance();
  }

  private doAll(): void {
    for (const version of [...this.beyond.keys()].sort((one, other) => one - other)) {
      const act = this.beyond.get(version);
      if (!act) continue;
      this.beyond.set(version, null);
      act();
    }
  }

  private advance(): void {
    if (!this.begun) return;
    while (this.beyond.has(this.base + 1)) {
      this.base += 1;
      const act = this.beyond.get(this.base);
      this.beyond.delete(this.base);
      act?.();
    }
    this.watch();
  }

  private watch(): void {
    const isLacking = this.sparse ? this.beyond.size > MOST_KEPT : this.beyond.size > 0;
    if (isLacking && this.timer === undefined) this.timer = setTimeout(() => this.ask(), HOLE_MS);
    if (isLacking) return;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private ask(): void {
    this.timer = undefined;
    this.lacking();
  }
}
