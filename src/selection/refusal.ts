import type { Refusal, RefusalReason } from "../api/refusal.ts";

/** Builds the refusal with these reasons; its retry time is the earliest of theirs. */
export function refusalOf<P extends string>(reasons: readonly RefusalReason<P>[]): Refusal<P> {
  let earliest = Infinity;
  for (const reason of reasons) {
    if (reason.retryAfterMs !== null && reason.retryAfterMs < earliest) earliest = reason.retryAfterMs;
  }
  const retryAfterMs = earliest === Infinity ? null : earliest;
  const retryAfterSeconds = retryAfterMs === null ? null : Math.max(1, Math.ceil(retryAfterMs / 1_000));
  return { granted: false, retryAfterMs, retryAfterSeconds, reasons };
}
