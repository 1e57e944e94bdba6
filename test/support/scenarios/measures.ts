// Measures of how a limiter treats a provider that breaks.
import type { Fault, SimulatedProvider } from "./simulated-provider.ts";

/** Requests that were sent in a period. */
export function sentBetween({ log }: SimulatedProvider, fromMs: number, toMs: number): number {
  return log.filter(({ at }) => at >= fromMs && at < toMs).length;
}

/** Instant at which the client knows of the third failure of a fault; Infinity: it never does. */
export function thirdFailureMs({ log }: SimulatedProvider, { fromMs, toMs }: Fault): number {
  const failures = log
    .filter(({ isFault, answeredAt }) => isFault && answeredAt >= fromMs && answeredAt < toMs)
    .map(({ answeredAt }) => answeredAt)
    .sort((a, b) => a - b);
  return failures[2] ?? Infinity;
}

/** Requests sent to the broken provider after its third failure was known, in excess of 2 + one per 5 s. */
export function excessTrials(provider: SimulatedProvider, fault: Fault): number {
  const from = thirdFailureMs(provider, fault);
  if (from === Infinity) return 0;
  // Requests of the same instant were granted before the failure was known.
  const sent = provider.log.filter(({ at }) => at > from && at < fault.toMs).length;
  return Math.max(0, sent - Math.floor(2 + (fault.toMs - from) / 5_000));
}

/** Milliseconds from the end of the fault to the first request that the provider answers; Infinity: none. */
export function recoveryMs({ log }: SimulatedProvider, { toMs }: Fault): number {
  const first = log.find(({ at, outcome }) => at >= toMs && outcome === "ok");
  return first === undefined ? Infinity : first.at - toMs;
}
