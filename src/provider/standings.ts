import { REPORTED, REQUESTS_ROOM, SCORE, SIZES_ROOM, STANDS_UNTIL } from "../quota/quota-reading.ts";
import type { Provider } from "./provider.ts";

// What stands where, from the place of a provider on.
/** How often it was read; another number, another standing. */
export const VERSION = 0;
/** From this instant on something of it is to be read again; -Infinity: everything, at once. */
export const UNTIL = 1;
export const HEALTH_UNTIL = 2;
/** What was read of its quotas. */
export const QUOTAS = 3;
export const QUOTA_SCORE: number = QUOTAS + SCORE;
export const REPORTED_SCORE: number = QUOTAS + REPORTED;
export const ROOM_FOR_REQUESTS: number = QUOTAS + REQUESTS_ROOM;
export const ROOM_FOR_SIZES: number = QUOTAS + SIZES_ROOM;
export const QUOTAS_UNTIL: number = QUOTAS + STANDS_UNTIL;
/** 1: it may be chosen, if the request fits. */
export const IS_ELIGIBLE = 8;
/** Whether it counts what depends on a request's size: 0 no, 1 yes, 2 and it has a price. */
export const SIZING = 9;
export const HEALTH_SCORE = 10;
/** Mean latency (ms); 0: none known. */
export const LATENCY = 11;
export const WEIGHT = 12;
export const PRIORITY = 13;
/** How often something was counted there, or its settings changed: until the next time, instants of room stand. */
export const CHANGES = 14;
// Two cache lines.
const WIDTH = 16;

/**
 * What rankings read of every provider: numbers side by side in memory, for with a thousand providers it is memory that
 * takes the time, and with two the way to it. What was read once serves all capabilities. A provider's place is its own
 * until it is removed.
 */
export class Standings {
  /** Every provider's numbers; another array after it has grown. */
  facts: Float64Array = new Float64Array(4 * WIDTH);
  readonly #providers: Provider[] = [];
  readonly #free: number[] = [];

  /** The place of a new provider: where its numbers begin. */
  take(provider: Provider): number {
    const place = this.#free.pop() ?? this.#providers.length * WIDTH;
    this.#providers[place / WIDTH] = provider;
    if (place === this.facts.length) {
      const facts = new Float64Array(2 * place);
      facts.set(this.facts);
      this.facts = facts;
    }
    this.touch(place);
    return place;
  }

  giveBack(place: number): void {
    this.#free.push(place);
  }

  provider(place: number): Provider {
    return this.#providers[place / WIDTH]!;
  }

  /** Something changed that a ranking reads. */
  touch(place: number): void {
    this.facts[place + UNTIL] = -Infinity;
  }
}
