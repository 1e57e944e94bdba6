// Mean of amounts that were reported from outside, so that no single one moves it far.
//
//   first 10:  mean of min(amount, 10 x median), from the kept amounts; median: the lower one of an even number
//   later:     error = min(amount - mean, 8 x max(deviation, mean / 4));  mean += error / n;  variance += (error^2 - variance) / n
//   n          samples, at most 300; halved by every 10 minutes without a sample, but never below 10
//
// Regimes: the first amount counts as it is. An upper bound is enough, because an amount below the mean is at least 0. Larger
// amounts widen the deviation, so that a lasting change is learned almost as fast as without the bound.
// Source: simulation of log-normal amounts as in LLM traces. A bound of 4 deviations lowers the mean of inputs by 4 %, which
// costs six times as many 429s; with 8 they stay the same, and one amount moves the mean by 8 / n deviations at most.

const FIRST_SAMPLES = 10;
const MOST_SAMPLES = 300;
const HALF_LIFE_MS = 600_000;
/** Shorter gaps forget nothing: they halve less than a tenth of a sample of 300. */
const NO_GAP_MS = 100;

/** Mean with constant memory. It has no clock: callers pass the instant (ms). */
export class RobustMean {
  value = 0;
  /** Number of samples, as far as they are not forgotten. */
  samples = 0;
  readonly #first: number[] = [];
  #variance = 0;
  #addedAt = 0;

  /** Its state as numbers >= 0; empty: no sample. */
  save(now: number): number[] {
    if (this.samples === 0) return [];
    return [this.value, this.samples, this.#variance, Math.max(0, now - this.#addedAt), ...this.#first];
  }

  restore([value = 0, samples = 0, variance = 0, ageMs = 0, ...first]: readonly number[], savedAt: number): void {
    this.value = value;
    this.samples = Math.min(samples, MOST_SAMPLES);
    this.#variance = variance;
    this.#addedAt = savedAt - ageMs;
    this.#first.push(...first.slice(0, FIRST_SAMPLES));
  }

  add(amount: number, now: number): void {
    const first = this.#first;
    if (first.length < FIRST_SAMPLES) {
      const count = first.push(amount);
      first.sort((a, b) => a - b);
      const most = 10 * Math.max(1, first[(count - 1) >> 1]!);
      const sumOf = (part: (bounded: number) => number) =>
        first.reduce((sum, each) => sum + part(Math.min(each, most)), 0);
      this.value = sumOf((each) => each) / count;
      this.#variance = sumOf((each) => (each - this.value) ** 2) / Math.max(1, count - 1);
      this.samples = count;
    } else {
      const gapMs = now - this.#addedAt;
      const kept = gapMs < NO_GAP_MS ? this.samples : this.samples * 0.5 ** (gapMs / HALF_LIFE_MS);
      this.samples = Math.min(MOST_SAMPLES, Math.max(FIRST_SAMPLES, kept) + 1);
      const error = Math.min(amount - this.value, mostAbove(this.value, this.#variance));
      this.value += error / this.samples;
      this.#variance += (error * error - this.#variance) / this.samples;
    }
    this.#addedAt = now;
  }
}

/** Most by which an amount can be above its expected value, once ten samples are known. */
export function mostAbove(expected: number, variance: number): number {
  return 8 * Math.max(Math.sqrt(variance), expected / 4, 1);
}
