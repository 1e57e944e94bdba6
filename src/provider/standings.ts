import type { QuotaReading } from "../profile/profile.ts";
import type { Provider } from "./provider.ts";

/**
 * What rankings read of every provider, side by side in memory: with a thousand providers it is memory that takes the time.
 * What was read once serves all capabilities. A provider's slot is its own until it is removed.
 */
export class Standings {
  /** By slot, as all of these. */
  readonly providers: Provider[] = [];
  /** How often it was read; another number, another standing. */
  versions: Float64Array = new Float64Array(0);
  /** From this instant on something of it is to be read again; -Infinity: everything, at once. */
  until: Float64Array = new Float64Array(0);
  quotasUntil: Float64Array = new Float64Array(0);
  healthUntil: Float64Array = new Float64Array(0);
  /** 1: it may be chosen, if the request fits. */
  isEligible: Uint8Array = new Uint8Array(0);
  /** Whether it counts what depends on a request's size: 0 no, 1 yes, 2 and it has a price. */
  sizing: Uint8Array = new Uint8Array(0);
  quotaScores: Float64Array = new Float64Array(0);
  /** The quota part that a decision reports. */
  reportedScores: Float64Array = new Float64Array(0);
  /** What fits in all of its quotas of requests and places, and in all others. */
  roomForRequests: Float64Array = new Float64Array(0);
  roomForSizes: Float64Array = new Float64Array(0);
  healthScores: Float64Array = new Float64Array(0);
  /** Mean latency (ms); 0: none known. */
  latencies: Float64Array = new Float64Array(0);
  weights: Float64Array = new Float64Array(0);
  priorities: Float64Array = new Float64Array(0);
  /** Where a profile writes what it has read. */
  readonly reading: QuotaReading = { score: 1, reported: 1, roomForRequests: 0, roomForSizes: 0, until: 0 };
  readonly #free: number[] = [];

  take(provider: Provider): number {
    const slot = this.#free.pop() ?? this.providers.length;
    if (slot >= this.until.length) this.#grow(Math.max(8, 2 * slot));
    this.providers[slot] = provider;
    this.touch(slot);
    return slot;
  }

  giveBack(slot: number): void {
    this.#free.push(slot);
  }

  /** Something changed that a ranking reads. */
  touch(slot: number): void {
    this.until[slot] = Number.NEGATIVE_INFINITY;
  }

  #grow(size: number): void {
    this.versions = grown(this.versions, new Float64Array(size));
    this.until = grown(this.until, new Float64Array(size));
    this.quotasUntil = grown(this.quotasUntil, new Float64Array(size));
    this.healthUntil = grown(this.healthUntil, new Float64Array(size));
    this.isEligible = grown(this.isEligible, new Uint8Array(size));
    this.sizing = grown(this.sizing, new Uint8Array(size));
    this.quotaScores = grown(this.quotaScores, new Float64Array(size));
    this.reportedScores = grown(this.reportedScores, new Float64Array(size));
    this.roomForRequests = grown(this.roomForRequests, new Float64Array(size));
    this.roomForSizes = grown(this.roomForSizes, new Float64Array(size));
    this.healthScores = grown(this.healthScores, new Float64Array(size));
    this.latencies = grown(this.latencies, new Float64Array(size));
    this.weights = grown(this.weights, new Float64Array(size));
    this.priorities = grown(this.priorities, new Float64Array(size));
  }
}

function grown<Numbers extends Float64Array | Uint8Array>(numbers: Numbers, larger: Numbers): Numbers {
  larger.set(numbers);
  return larger;
}
