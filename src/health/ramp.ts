// The way back to full speed after a trial that succeeded.
//
//   rate(t) = share x limit / window      share: 1/2 in the first 5 s, 3/4 until 10 s, then no bound but the quotas
//   a lease of r requests at t:  next = max(next, t) + r / rate(t);  the next one goes at `next`, or when the ramp is over
//
// Regimes: the rate is that of the shortest requests quota, windows of up to an hour; longer ones say nothing about a
// rate, and a provider without such a quota does not ramp.
// Source: measured, one probe and then everybody trips the limit again; a rate ramp after the probe does not.
import { REQUESTS } from "../config/dimension.ts";
import type { QuotaSpec } from "../config/quota-spec.ts";

const STEP_MS = 5_000;
const SHARES: readonly number[] = [0.5, 0.75];
const LONGEST_WINDOW_MS = 3_600_000;

/** Spaces the leases of one provider after its recovery; knows no clock. */
export class Ramp {
  #from = Number.NEGATIVE_INFINITY;
  #next = Number.NEGATIVE_INFINITY;

  start(now: number): void {
    this.#from = now;
    this.#next = now;
  }

  isOn(now: number): boolean {
    return now < this.#end;
  }

  /** In how many whole ms the next lease goes; 0: now. */
  waitMs(now: number): number {
    return Math.max(0, Math.ceil(Math.min(this.#next, this.#end) - now));
  }

  /** A lease of so many requests goes, where the full rate is `perMs`. */
  take(requests: number, perMs: number, now: number): void {
    const share = SHARES[Math.floor((now - this.#from) / STEP_MS)] ?? 1;
    this.#next = Math.max(this.#next, now) + requests / (perMs * share);
  }

  stop(): void {
    this.#from = Number.NEGATIVE_INFINITY;
  }

  get #end(): number {
    return this.#from + STEP_MS * SHARES.length;
  }
}

/** The quota whose rate ramps; null: none. */
export function rampedOf(specs: readonly QuotaSpec[]): QuotaSpec | null {
  let shortest: QuotaSpec | null = null;
  for (const spec of specs) {
    if (spec.index !== REQUESTS || spec.windowMs === null || spec.windowMs > LONGEST_WINDOW_MS || spec.limit === 0)
      continue;
    if (shortest === null || spec.windowMs < shortest.windowMs!) shortest = spec;
  }
  return shortest;
}
