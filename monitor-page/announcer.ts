import type { ProviderRow } from "../src/monitor/message.ts";
import { byId, setText } from "./dom.ts";
import { STATES } from "./text.ts";

/** Shortest time between two announcements. */
const PAUSE_MS = 3_000;
const NAMED = 3;

/** Says changes of the states of providers to screen readers: nothing else is announced. */
export class Announcer {
  readonly #element = byId("announcements");
  readonly #known = new Map<number, ProviderRow>();
  #changes = new Map<string, ProviderRow["state"]>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  notice(rows: ReadonlyMap<number, ProviderRow>, isFirst: boolean): void {
    for (const [index, row] of rows) {
      const before = this.#known.get(index);
      this.#known.set(index, row);
      const isChange = before?.name === row.name && before.state !== row.state;
      if (isChange && !isFirst) this.#changes.set(row.name, row.state);
    }
    if (this.#changes.size > 0)
      this.#timer ??= setTimeout(() => this.#announce(), this.#element.textContent ? PAUSE_MS : 0);
  }

  #announce(): void {
    this.#timer = null;
    const changes = [...this.#changes];
    this.#changes = new Map();
    const texts = changes.slice(0, NAMED).map(([name, state]) => `\u2068${name}\u2069: ${STATES[state][0]}`);
    const others = changes.length - texts.length;
    setText(this.#element, `${texts.join(". ")}${others > 0 ? `, and ${others} more providers changed` : ""}`);
  }
}
