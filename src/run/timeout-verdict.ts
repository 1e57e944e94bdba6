import type { Verdict } from "../api/verdict.ts";
import { TIMEOUT, UNKNOWN } from "./classification/classify.ts";

/** An attempt that was ended by a time limit. */
interface TimedOutAttempt {
  readonly hadMs: number;
  /** Limit of the call if that was reached; null: the limit of the attempt was. */
  readonly callTimeoutMs: number | null;
  /** Mean latency of the provider; null: unknown. */
  readonly usualMs: number | null;
}

/** Verdict on it. Blames the provider for a time-out of the call only if the attempt had at least half of the call's time. */
export function timeoutVerdict({ hadMs, callTimeoutMs, usualMs }: TimedOutAttempt): Verdict {
  if (callTimeoutMs !== null && hadMs * 2 < callTimeoutMs) return UNKNOWN;
  // The provider usually takes longer, so a time-out that the caller chose proves nothing.
  return hadMs < (usualMs ?? 0) ? { ...TIMEOUT, settlement: UNKNOWN.settlement } : TIMEOUT;
}
