import type { QueueRow } from "../src/monitor/message.ts";
import { byId, makeRow, nameElement, setName, setPieces, setText } from "./dom.ts";
import { countText, durationText, reasonsText } from "./text.ts";

/** Row of one group of waiting calls. */
class QueueItem {
  readonly element: HTMLTableRowElement;
  readonly #cells: readonly HTMLElement[];
  readonly #capability = nameElement("", "name strong");
  readonly #key = nameElement("");
  #reasons = "";

  constructor() {
    const [row, cells] = makeRow(["", "", "number", "number", ""]);
    this.element = row;
    this.#cells = cells;
    cells[0]!.append(this.#capability);
    cells[1]!.append(this.#key);
    cells[2]!.dataset["label"] = "Calls";
    cells[3]!.dataset["label"] = "Oldest";
  }

  show({ capability, key, waiting, oldestMs, waitsFor }: QueueRow): void {
    setName(this.#capability, capability);
    setName(this.#key, key ?? "no key");
    this.#key.className = key === null ? "name quiet" : "name";
    setText(this.#cells[2]!, countText(waiting));
    setText(this.#cells[3]!, durationText(oldestMs));
    const reasons = JSON.stringify(waitsFor);
    if (reasons === this.#reasons) return;
    this.#reasons = reasons;
    setPieces(this.#cells[4]!, reasonsText(waitsFor));
  }
}

/** Table of the wait queue. */
export class Queue {
  readonly #body = byId("queue-rows");
  readonly #empty = byId("no-queue");
  readonly #count = byId("queue-count");
  readonly #items: QueueItem[] = [];

  show(rows: readonly QueueRow[], waiting: number): void {
    while (this.#items.length > rows.length) this.#items.pop()!.element.remove();
    while (this.#items.length < rows.length) {
      const item = new QueueItem();
      this.#items.push(item);
      this.#body.append(item.element);
    }
    rows.forEach((row, index) => {
      this.#items[index]!.show(row);
    });
    this.#empty.hidden = rows.length > 0;
    const listed = rows.reduce((sum, row) => sum + row.waiting, 0);
    const others = waiting > listed ? `, ${countText(waiting - listed)} of them in newer groups` : "";
    setText(this.#count, waiting === 0 ? "" : `${countText(waiting)} ${waiting === 1 ? "call" : "calls"}${others}`);
  }
}
