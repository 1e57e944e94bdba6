// Measures of how a limiter treats a provider that breaks.
import type { Fault, ReceivedRequest, SimulatedProvider } from "./simulated-provider.ts";

/** Requests that were sent in a period. */
export function sentBetween({ log }: SimulatedProvider, fromMs: number, toMs: number): number {
  return log.filter(({ at }) => at >= fromMs && at < toMs).length;
}

const RECENT_MS = 500;

/**
 * Instant at which the client knows of three failures in a row that are no fewer than the successes of the last 500 ms;
 * Infinity: never. Requests that were in flight when the fault began can still succeed and interrupt the row.
 */
export function brokenSinceMs({ log }: SimulatedProvider, { fromMs, toMs }: Fault): number {
  const outcomes = log
    .filter(({ answeredAt, outcome }) => answeredAt < toMs && (outcome === "ok" || isFailure(outcome)))
    .sort((a, b) => a.answeredAt - b.answeredAt);
  let inARow = 0;
  for (const [index, { answeredAt, outcome }] of outcomes.entries()) {
    inARow = outcome === "ok" ? 0 : inARow + 1;
    if (inARow < 3 || answeredAt < fromMs) continue;
    const isRecent = (other: ReceivedRequest) => other.answeredAt >= answeredAt - RECENT_MS;
    const successes = outcomes.slice(0, index).filter((other) => other.outcome === "ok" && isRecent(other)).length;
    if (inARow >= successes) return answeredAt;
  }
  return Infinity;
}

function isFailure(outcome: ReceivedRequest["outcome"]): boolean {
  return outcome !== "open" && !outcome.startsWith("429");
}

/** Requests sent to the broken provider after it was known to be broken, in excess of 2 + one per 5 s. */
export function excessTrials(provider: SimulatedProvider, fault: Fault): number {
  const from = brokenSinceMs(provider, fault);
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
