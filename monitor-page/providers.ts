import type { ProviderRow, QuotaRow } from "../src/monitor/message.ts";
import { Badge, byId, make, makeRow, nameElement, setAttribute, setName, setText } from "./dom.ts";
import {
  clockText,
  countText,
  durationText,
  forecastText,
  quotaName,
  quotaText,
  remainingText,
  STATES,
} from "./text.ts";

/** Share of the limit below which little remains. */
const LOW = 0.1;

/** Bar of one quota, with its texts. */
class QuotaItem {
  readonly element = make("li");
  readonly #name = make("span");
  readonly #left = make("span", "left");
  readonly #meter = make("span", "meter");
  readonly #used = make("span", "used");
  readonly #reserved = make("span", "reserved");
  readonly #amounts = make("span");
  readonly #forecast = make("span", "full-soon");

  constructor() {
    const top = make("div", "top");
    top.append(this.#name, this.#left);
    this.#meter.setAttribute("role", "meter");
    this.#meter.setAttribute("aria-valuemin", "0");
    this.#meter.append(this.#used, this.#reserved);
    const bottom = make("div", "quiet");
    bottom.append(this.#amounts, this.#forecast);
    this.element.append(top, this.#meter, bottom);
  }

  show(row: QuotaRow): void {
    const { limit, reserved, remaining, pool } = row;
    const name = quotaName(row.dimension, row.window) + (pool === null ? "" : ` in pool \u2068${pool}\u2069`);
    const share = (amount: number) => (limit > 0 ? Math.min(100, (amount / limit) * 100) : 0);
    // The bar agrees with the remaining amount, also if the provider counts otherwise.
    const takenShare = 100 - share(remaining);
    const reservedShare = Math.min(takenShare, share(reserved));
    setText(this.#name, name);
    setText(this.#left, remainingText(row));
    setText(this.#amounts, quotaText(row));
    const forecast = forecastText(row);
    setText(this.#forecast, forecast === "" ? "" : ` · ${forecast}`);
    this.#used.style.width = `${takenShare - reservedShare}%`;
    this.#reserved.style.width = `${reservedShare}%`;
    setAttribute(this.element, "class", remaining === 0 ? "low none" : remaining <= limit * LOW ? "low" : "");
    setAttribute(this.#meter, "aria-label", `${name}: used and reserved`);
    setAttribute(this.#meter, "aria-valuemax", `${limit}`);
    setAttribute(this.#meter, "aria-valuenow", `${Math.max(0, limit - remaining)}`);
    const text = [quotaText(row), remainingText(row), forecast].filter((part) => part !== "").join(", ");
    setAttribute(this.#meter, "aria-valuetext", text);
  }
}

/** Row of one provider. */
class ProviderItem {
  readonly element: HTMLTableRowElement;
  row: ProviderRow | null = null;
  readonly #name = nameElement("", "name strong");
  readonly #badge = new Badge();
  readonly #clock = make("span", "clock quiet");
  readonly #health: HTMLElement;
  readonly #healthText = make("span");
  readonly #healthBar = make("span");
  readonly #latency = make("span");
  readonly #inFlight = make("span");
  readonly #abandoned = make("span", "quiet");
  readonly #list = make("ul", "quotas");
  readonly #quotas: QuotaItem[] = [];

  constructor() {
    const [row, cells] = makeRow(["", "", "health", "number", "number", ""]);
    const [name, state, health, latency, inFlight, quotas] = cells as [HTMLElement, ...HTMLElement[]];
    this.element = row;
    name.append(this.#name);
    name.setAttribute("role", "rowheader");
    state!.append(this.#badge.element, this.#clock);
    const meter = make("span", "meter");
    meter.setAttribute("aria-hidden", "true");
    meter.append(this.#healthBar);
    health!.append(this.#healthText, meter);
    this.#health = health!;
    latency!.append(this.#latency);
    inFlight!.append(this.#inFlight, this.#abandoned);
    quotas!.append(this.#list);
    health!.dataset["label"] = "Health";
    latency!.dataset["label"] = "Latency";
    inFlight!.dataset["label"] = "In flight";
  }

  show(row: ProviderRow): void {
    this.row = row;
    const { name, state, health, latencyMs, cooldownMs, inFlight, abandonedTasks, quotas } = row;
    setName(this.#name, name);
    this.#badge.show(STATES[state]);
    setText(this.#clock, cooldownMs > 0 ? `${clockText(cooldownMs)} left` : "");
    setText(this.#healthText, `${Math.round(health * 100)} %`);
    this.#healthBar.style.width = `${health * 100}%`;
    setAttribute(this.#health, "class", health < 0.5 ? "health low" : "health");
    setText(this.#latency, latencyMs === null ? "–" : durationText(latencyMs));
    setText(this.#inFlight, countText(inFlight));
    setText(this.#abandoned, abandonedTasks === 0 ? "" : ` ${countText(abandonedTasks)} abandoned`);
    while (this.#quotas.length > quotas.length) this.#quotas.pop()!.element.remove();
    while (this.#quotas.length < quotas.length) {
      const item = new QuotaItem();
      this.#quotas.push(item);
      this.#list.append(item.element);
    }
    quotas.forEach((quota, index) => {
      this.#quotas[index]!.show(quota);
    });
  }
}

/** Table of the providers. */
export class Providers {
  readonly #body = byId("provider-rows");
  readonly #empty = byId("no-provider");
  readonly #count = byId("provider-count");
  readonly #find = byId<HTMLInputElement>("find");
  readonly #onlyProblems = byId<HTMLInputElement>("only-problems");
  readonly #items: ProviderItem[] = [];

  constructor() {
    this.#find.addEventListener("input", () => this.#filter());
    this.#onlyProblems.addEventListener("change", () => this.#filter());
  }

  /** Shows changed rows. */
  show(rows: ReadonlyMap<number, ProviderRow>, count: number): void {
    while (this.#items.length > count) this.#items.pop()!.element.remove();
    while (this.#items.length < count) {
      const item = new ProviderItem();
      this.#items.push(item);
      this.#body.append(item.element);
    }
    for (const [index, row] of rows) this.#items[index]?.show(row);
    this.#filter();
  }

  #filter(): void {
    const wanted = this.#find.value.trim().toLowerCase();
    let shown = 0;
    let problems = 0;
    for (const { row, element } of this.#items) {
      if (row === null) continue;
      const hasProblem = row.state !== "available";
      if (hasProblem) problems++;
      const isShown = row.name.toLowerCase().includes(wanted) && (hasProblem || !this.#onlyProblems.checked);
      if (isShown) shown++;
      if (element.hidden === isShown) element.hidden = !isShown;
    }
    const total = this.#items.length;
    const well = total - problems;
    setText(this.#count, total === 0 ? "" : `${well} of ${total} available`);
    this.#empty.hidden = shown > 0;
    setText(this.#empty, total === 0 ? "The limiter has no providers." : "No provider matches.");
  }
}
