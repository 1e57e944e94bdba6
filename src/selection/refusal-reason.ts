import type { RefusalReason } from "../api/refusal.ts";
import { type Profile, TOO_LARGE } from "../profile/profile.ts";
import type { Capability } from "../provider/capability.ts";
import type { Listed } from "../provider/provider-list.ts";
import type { Quota } from "../quota/quota.ts";
import { demandFor } from "../quota/usage-vector.ts";
import type { RequestSpec } from "./request-spec.ts";

/** What the reasons are read from. */
export interface ReasonParts {
  readonly profile: Profile;
  readonly minimumHealth: number;
}

/**
 * Why a listed provider cannot take the request; what time alone cannot mend comes before what it can, and the time that
 * is told is the one at which everything is mended. Room and gates count against a lease only, and so do those ahead in
 * the line where nothing else does.
 */
export function refusalReasonFor(
  capability: Capability,
  entry: Listed,
  request: RequestSpec,
  { profile, minimumHealth }: ReasonParts,
  now: number,
  isLease: boolean,
): RefusalReason {
  const { name, provider } = entry;
  const because = (reason: PlainReason, waitMs: number): RefusalReason => ({
    provider: name,
    reason,
    retryAfterMs: Number.isFinite(waitMs) ? waitMs : null,
  });
  if (provider === null) return because("not_registered", NaN);
  if (request.excludes(name)) return because("excluded", NaN);
  const state = provider.state(now, minimumHealth);
  if (state === "dead" || state === "paused") return because(state, NaN);
  const needs = request.needs(capability, entry, isLease);
  const { quotas } = provider;
  const waits = quotas.map((quota) => profile.waitMs([quota], needs, now, true));
  const tooLarge = waits.indexOf(TOO_LARGE);
  const fitsInMs = Math.max(0, ...waits);
  let waitMs = isLease ? fitsInMs : 0;
  const byQuota = (reason: QuotaReason, quota: Quota): RefusalReason => ({
    provider: name,
    reason,
    dimension: quota.spec.dimension,
    window: quota.spec.window,
    pool: quota.pool,
    limit: quota.tracker.capacity,
    remaining: quota.remaining(now),
    needed: demandFor(needs.amounts, quota.index),
    retryAfterMs: reason !== "too_large" && Number.isFinite(waitMs) ? waitMs : null,
  });
  if (tooLarge >= 0) return byQuota("too_large", quotas[tooLarge]!);
  if (state === "cooldown" || state === "unhealthy") {
    const { health } = provider;
    const healsInMs = state === "cooldown" ? provider.cooldownMs(now) : health.healsInMs(minimumHealth, now);
    // A ramp goes on while health is bad.
    const rampMs = state === "cooldown" || !isLease ? 0 : provider.recoveryDelayMs("ramping", now);
    return because(state, Math.max(waitMs, rampMs, Math.ceil(healsInMs)));
  }
  const gateMs = provider.recoveryDelayMs(state, now);
  waitMs = Math.max(waitMs, gateMs);
  if (fitsInMs > 0) {
    const quota = quotas[waits.indexOf(fitsInMs)]!;
    return byQuota(quota.spec.strategy === "concurrency" ? "concurrency" : "quota", quota);
  }
  if (gateMs > 0) return because("ramping", gateMs);
  return because("waiters_ahead", NaN);
}

type QuotaReason = "quota" | "concurrency" | "too_large";
type PlainReason = Exclude<RefusalReason["reason"], QuotaReason>;
