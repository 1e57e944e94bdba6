import type { QuotaReading } from "../profile/profile.ts";

/**
 * What rankings read of every provider, side by side in memory: who ranks a thousand of them sees at a glance which have
 * changed, and what was read once serves all capabilities. A provider's slot is its own until it is removed.
 */
export class Standings {
  /** By slot, as all of these: how often it was read; another number, another standing. */
  versions: Float64Array = new Float64Array(0);
  /** From this instant on it is to be read again; -Infinity: at once. */
  until: Float64Array = new Float64Array(0);
  /** 1: it may be chosen, if the request fits. */
  isEligible: Uint8Array = new Uint8Array(0);
  quotaScores: Float64Array = new Float64Array(0);
  /** The quota part that a decision reports. */
  reportedScores: Float64Array = new Float64Array(0);
  healthScores: Float64Array = new Float64Array(0);
  /** Mean latency (ms); 0: none known. */
  latencies: Float64Array = new Float64Array(0);
  weights: Float64Array = new Float64Array(0);
  priorities: Float64Array = new Float64Array(0);
  /** Where a profile writes what it has read. */
  readonly reading: QuotaReading = { score: 1, reported: 1, until: 0 };
  #size = 0;
  readonly #free: number[] = [];

  take(): number {
    const slot = this.#free.pop() ?? this.#size++;
    if (slot >= this.until.length) this.#grow(Math.max(8, 2 * slot));
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
    const grown = (numbers: Float64Array): Float64Array => {
      const all = new Float64Array(size);
      all.set(numbers);
      return all;
    };
    this.versions = grown(this.versions);
    this.until = grown(this.until);
    this.quotaScores = grown(this.quotaScores);
    this.reportedScores = grown(this.reportedScores);
    this.healthScores = grown(this.healthScores);
    this.latencies = grown(this.latencies);
    this.weights = grown(this.weights);
    this.priorities = grown(this.priorities);
    const isEligible = new Uint8Array(size);
    isEligible.set(this.isEligible);
    this.isEligible = isEligible;
  }
}
