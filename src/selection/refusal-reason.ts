import type { RefusalReason } from "../api/refusal.ts";
import { type Profile, TOO_LARGE } from "../profile/profile.ts";
import type { Capability } from "../provider/capability.ts";
import type { KeyLimits } from "../provider/key-limits.ts";
import type { ListedProvider } from "../provider/provider-list.ts";
import type { Registry } from "../provider/registry.ts";
import type { Quota } from "../quota/quota.ts";
import { demandFor } from "../quota/usage-vector.ts";
import type { RequestSpec } from "./request-spec.ts";

/** Parts of a limiter that are needed to find refusal reasons. */
export interface RefusalContext {
  readonly registry: Registry;
  readonly keyLimits: KeyLimits | null;
  readonly profile: Profile;
  readonly minimumHealth: number;
}

// Reasons of eligible providers.
const ELIGIBLE: readonly RefusalReason["reason"][] = ["quota", "concurrency", "ramping", "waiters_ahead"];

/** True if no provider is eligible for the request, so that it can probe one that is in a cooldown. */
export function isNoneEligible(reasons: readonly RefusalReason[]): boolean {
  return reasons.every(({ reason }) => !ELIGIBLE.includes(reason));
}

/** Returns the reasons why the providers of the capability cannot serve the request, in the order of its list. */
export function refusalReasonsFor(
  capability: Capability,
  request: RequestSpec,
  context: RefusalContext,
  now: number,
  isLease: boolean,
): RefusalReason[] {
  const reasons = (isOnlyChoice: boolean) =>
    context.registry
      .listed(capability)
      .map((entry) => refusalReasonFor(capability, entry, request, context, now, isLease, isOnlyChoice));
  const plain = reasons(false);
  return isNoneEligible(plain) ? reasons(true) : plain;
}

/**
 * Returns the reason why a listed provider cannot serve the request. Reasons that time alone cannot remove come first.
 * `retryAfterMs` is the time until all reasons are gone. Quotas without capacity, the trial, the ramp-up and the waiters
 * ahead are reasons against a lease only, because `select` reserves nothing. Waiters ahead are the reason if no other is.
 */
function refusalReasonFor(
  capability: Capability,
  entry: ListedProvider,
  request: RequestSpec,
  { profile, keyLimits, minimumHealth }: RefusalContext,
  now: number,
  isLease: boolean,
  isOnlyChoice: boolean,
): RefusalReason {
  const { name, provider } = entry;
  const plainReason = (reason: PlainReason, waitMs: number): RefusalReason => ({
    provider: name,
    reason,
    retryAfterMs: Number.isFinite(waitMs) ? waitMs : null,
  });
  if (provider === null) return plainReason("not_registered", NaN);
  if (request.excludes(name)) return plainReason("excluded", NaN);
  let state = provider.state(now, minimumHealth);
  if (provider.isOpenForTrial(state, isOnlyChoice, now)) state = "trial";
  const demand = request.demandOn(capability, entry, isLease);
  const keyQuotas = keyLimits?.of(request.fairnessKey, capability.name, now)?.quotas;
  const quotas = keyQuotas === undefined ? provider.quotas : [...provider.quotas, ...keyQuotas];
  const waitsMs = quotas.map((quota) => profile.waitMs([quota], demand, now, true));
  const tooSmall = quotas.filter((_, index) => waitsMs[index] === TOO_LARGE);
  const fitsInMs = Math.max(0, ...waitsMs);
  let waitMs = isLease ? fitsInMs : 0;
  const quotaReason = (reason: QuotaReason, quota: Quota): RefusalReason => ({
    provider: name,
    reason,
    dimension: quota.spec.dimension,
    window: quota.spec.window,
    pool: quota.pool,
    ...(quota.fairnessKey !== null && { fairnessKey: quota.fairnessKey }),
    limit: quota.tracker.capacity,
    remaining: quota.remaining(now),
    needed: demandFor(demand.amounts, quota.index),
    ...(reason === "concurrency" && isLease && heldFor(quota, now)),
    retryAfterMs: reason !== "too_large" && Number.isFinite(waitMs) ? waitMs : null,
  });
  // The limits of a key never change, while those of a provider can until its pause ends.
  const tooSmallForKey = tooSmall.find(({ fairnessKey }) => fairnessKey !== null);
  if (tooSmallForKey !== undefined) return quotaReason("too_large", tooSmallForKey);
  if (state === "dead") return plainReason(state, NaN);
  if (state === "paused") return plainReason(state, Math.ceil(provider.settings.pausedUntil - now));
  if (tooSmall.length > 0) return quotaReason("too_large", tooSmall[0]!);
  if (state === "cooldown" || state === "unhealthy") {
    const { health } = provider;
    const healsInMs = state === "cooldown" ? health.opensAt(isOnlyChoice) - now : health.healsInMs(minimumHealth, now);
    // A ramp-up continues while health is bad.
    const rampMs = state === "cooldown" || !isLease ? 0 : provider.recoveryDelayMs("ramping", now);
    const opensInMs = Math.max(waitMs, rampMs, Math.ceil(healsInMs));
    const statedWaitMs = Math.ceil(health.statedUntil - now);
    const isStated = state === "cooldown" && statedWaitMs > opensInMs && statedWaitMs < Infinity;
    return { ...plainReason(state, opensInMs), ...(isStated && { statedWaitMs }) };
  }
  const recoveryMs = provider.recoveryDelayMs(state, now);
  waitMs = Math.max(waitMs, recoveryMs);
  if (fitsInMs > 0) {
    const quota = quotas[waitsMs.indexOf(fitsInMs)]!;
    return quotaReason(quota.spec.strategy === "concurrency" ? "concurrency" : "quota", quota);
  }
  if (recoveryMs > 0) return plainReason("ramping", recoveryMs);
  return plainReason("waiters_ahead", NaN);
}

type QuotaReason = "quota" | "concurrency" | "too_large";
type Shortage = Extract<RefusalReason, { readonly needed: number }>;
type PlainReason = Exclude<RefusalReason["reason"], QuotaReason>;

function heldFor({ held }: Quota, now: number): Pick<Shortage, "heldForMs" | "abandoned"> | null {
  const { first } = held;
  if (first === null) return null;
  let abandoned = 0;
  for (let each: typeof first | null = first; each !== null; each = each.next) {
    if (each.isAbandoned) abandoned += each.amount;
  }
  return { heldForMs: Math.floor(now - first.grantedAt), ...(abandoned > 0 && { abandoned }) };
}
