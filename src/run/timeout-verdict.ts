import type { Verdict } from "../api/verdict.ts";
import { TIMEOUT, UNKNOWN } from "./classification/classify.ts";

/** Shortest time (ms) that says anything about a provider. */
const SECOND_MS = 1_000;

/** An attempt that was ended by a time limit. */
interface TimedOutAttempt {
  readonly hadMs: number;
  /** Limit of the call if that was reached; null: the limit of the attempt was. */
  readonly callTimeoutMs: number | null;
  /** Mean latency of the provider; null: unknown. */
  readonly usualMs: number | null;
}

/**
 * Verdict on it. Blames the provider for a time-out of the call only if the attempt had at least half of the call's time, 1 s
 * and twice the usual latency; for a time-out of the attempt, if it had the usual latency. Other time-outs that a caller chose
 * prove nothing.
 */
export function timeoutVerdict({ hadMs, callTimeoutMs, usualMs }: TimedOutAttempt): Verdict {
  const isOfCall = callTimeoutMs !== null;
  if (isOfCall && hadMs * 2 < callTimeoutMs) return UNKNOWN;
  const leastMs = isOfCall ? Math.max(SECOND_MS, 2 * (usualMs ?? 0)) : (usualMs ?? SECOND_MS);
  return hadMs < leastMs ? { ...TIMEOUT, settlement: UNKNOWN.settlement } : TIMEOUT;
}
