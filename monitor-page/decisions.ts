import { type DecisionRow, FREQUENT_KINDS, KEPT_FREQUENT, KEPT_RARE } from "../src/monitor/message.ts";
import { Badge, byId, makeRow, nameElement, setPieces, setText } from "./dom.ts";
import { KINDS, whyText } from "./text.ts";

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Table of the latest decisions, the newest first. */
export class Decisions {
  readonly #body = byId("decision-rows");
  readonly #empty = byId("no-decision");
  readonly #sampled = byId("sampled");
  readonly #withoutGrants = byId<HTMLInputElement>("without-grants");
  // Both are kept apart, as the server keeps them.
  #frequent: DecisionRow[] = [];
  #rare: DecisionRow[] = [];
  readonly #shown = new Map<number, HTMLElement>();

  constructor() {
    this.#withoutGrants.addEventListener("change", () => this.show());
  }

  /** Keeps new decisions. */
  add(rows: readonly DecisionRow[], isAll: boolean): void {
    const frequent = rows.filter(({ kind }) => FREQUENT_KINDS.includes(kind));
    const rare = rows.filter(({ kind }) => !FREQUENT_KINDS.includes(kind));
    this.#frequent = [...(isAll ? [] : this.#frequent), ...frequent].slice(-KEPT_FREQUENT);
    this.#rare = [...(isAll ? [] : this.#rare), ...rare].slice(-KEPT_RARE);
  }

  /** Shows the kept decisions. `offsetMs` is the difference between the clock of this page and that of the messages. */
  show(offsetMs: number = this.#offsetMs, isSampled: boolean = this.#isSampled): void {
    this.#offsetMs = offsetMs;
    this.#isSampled = isSampled;
    const kept = [...this.#frequent, ...this.#rare].sort((a, b) => b.id - a.id);
    const rows = this.#withoutGrants.checked ? kept.filter(({ kind }) => kind !== "granted") : kept;
    const ids = new Set(rows.map(({ id }) => id));
    for (const [id, element] of this.#shown) {
      if (ids.has(id)) continue;
      element.remove();
      this.#shown.delete(id);
    }
    let next = this.#body.firstElementChild;
    for (const row of rows) {
      const shown = this.#shown.get(row.id);
      if (shown !== undefined && shown === next) next = next.nextElementSibling;
      else {
        const element = shown ?? this.#make(row);
        this.#shown.set(row.id, element);
        this.#body.insertBefore(element, next);
      }
    }
    this.#empty.hidden = rows.length > 0;
    setText(this.#sampled, isSampled ? "a sample: the first 10 of a kind in each half second" : "");
  }

  #offsetMs = 0;
  #isSampled = false;

  #make(row: DecisionRow): HTMLElement {
    const [element, cells] = makeRow(["quiet", "", "", "", "quiet"]);
    const [time, kind, capability, provider, why] = cells as [HTMLElement, ...HTMLElement[]];
    time.textContent = TIME.format(row.atMs + this.#offsetMs);
    const badge = new Badge();
    badge.show(KINDS[row.kind]);
    kind!.append(badge.element);
    if (row.capability !== null) capability!.append(nameElement(row.capability));
    if (row.provider !== null) provider!.append(nameElement(row.provider, "name strong"));
    const why0 = whyText(row);
    setPieces(why!, row.label === null ? why0 : [{ name: row.label }, ": ", ...why0]);
    return element;
  }
}
