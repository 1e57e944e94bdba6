import type { QuotaReading } from "../profile/profile.ts";
import type { Provider } from "./provider.ts";

// What stands where, from the place of a provider on.
/** How often it was read; another number, another standing. */
export const VERSION = 0;
/** From this instant on something of it is to be read again; -Infinity: everything, at once. */
export const UNTIL = 1;
export const QUOTAS_UNTIL = 2;
export const HEALTH_UNTIL = 3;
/** 1: it may be chosen, if the request fits. */
export const IS_ELIGIBLE = 4;
/** Whether it counts what depends on a request's size: 0 no, 1 yes, 2 and it has a price. */
export const SIZING = 5;
export const QUOTA_SCORE = 6;
/** The quota part that a decision reports. */
export const REPORTED_SCORE = 7;
/** What fits in all of its quotas of requests and places, and in all others. */
export const ROOM_FOR_REQUESTS = 8;
export const ROOM_FOR_SIZES = 9;
export const HEALTH_SCORE = 10;
/** Mean latency (ms); 0: none known. */
export const LATENCY = 11;
export const WEIGHT = 12;
export const PRIORITY = 13;
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
  /** Where a profile writes what it has read. */
  readonly reading: QuotaReading = { score: 1, reported: 1, roomForRequests: 0, roomForSizes: 0, until: 0 };
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
    this.facts[place + UNTIL] = Number.NEGATIVE_INFINITY;
  }
}
