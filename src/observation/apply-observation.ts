import type { Events } from "../events.ts";
import type { Outcome } from "../health/health.ts";
import type { Counters } from "../metrics.ts";
import type { Profile } from "../profile/profile.ts";
import type { Provider } from "../provider/provider.ts";
import { NOTHING_STATED, type SizeEstimate } from "../provider/size-estimate.ts";
import { REQUESTS } from "../quota/dimension-index.ts";
import type { Quota } from "../quota/quota.ts";
import { countedAmount, UNSPECIFIED } from "../quota/usage-vector.ts";
import type { ObservationReader } from "./observation-reader.ts";
import { readReports } from "./reported-quotas.ts";
import { UNSERVED } from "./status-code.ts";

/** Parts of a limiter that an observation changes. */
export interface ObservationContext {
  readonly profile: Profile;
  readonly counters: Counters;
  readonly events: Events;
}

/** Applies an observation to the quotas, the size estimate and the health of a provider. */
export function applyObservation(
  provider: Provider,
  observed: ObservationReader,
  size: SizeEstimate | null,
  context: ObservationContext,
  now: number,
): void {
  context.counters.observations++;
  context.counters.invalidUsages += observed.invalid;
  if (size !== null && observed.status === "success") {
    size.learn(observed.amounts, NOTHING_STATED, provider.quotas, now);
  }
  countUsage(provider, observed, context, now);
  // The request began its latency ago, as far as that is known.
  updateHealth(provider, observed, now - (observed.latencyMs ?? 0), context, now);
}

function countUsage(provider: Provider, observed: ObservationReader, context: ObservationContext, now: number): void {
  const { amounts, status } = observed;
  const { price, terms } = provider.settings;
  if (status === "unsuitable" && !terms.countsUnsuitable && amounts[REQUESTS] === UNSPECIFIED) amounts[REQUESTS] = 0;
  // A request that was rejected before any work costs nothing.
  context.profile.countObserved(amounts, price !== null && UNSERVED.includes(status) ? null : price);
  const { quotas } = provider;
  const covered = observed.reported === undefined ? null : new Set<Quota>();
  const amountOn = ({ index, spec }: Quota) => countedAmount(amounts[index]!, amounts, spec.isUncached);
  readReports(observed.reported, quotas, context.counters, context.profile.vocabulary, (quota, report) => {
    if (quota.applyObserved(report, Math.max(0, amountOn(quota)), now)) covered?.add(quota);
  });
  for (let i = 0; i < quotas.length; i++) {
    const quota = quotas[i]!;
    if (quota.record(amountOn(quota), now, covered?.has(quota)))
      raiseLimitReached(context.events, provider.name, quota);
  }
}

/** Emits that the last remaining amount of a quota was used. */
export function raiseLimitReached(events: Events, provider: string, quota: Quota): void {
  const { dimension, window } = quota.spec;
  events.emit("limitReached", { provider, dimension, window, pool: quota.pool });
}

/**
 * Updates the health of a provider after a request that was granted at `grantedAt`. Emits a cooldown, a death or a revival
 * that follows, and advances the ramp-up.
 */
export function updateHealth(
  provider: Provider,
  outcome: Outcome,
  grantedAt: number,
  { counters, events }: Pick<ObservationContext, "counters" | "events">,
  now: number,
): void {
  const { health, ramp, name } = provider;
  const { status } = outcome;
  const wasDead = health.isDead;
  const endBefore = health.cooldownUntil;
  const isExhausted = status === "quota_exhausted";
  const known = isExhausted ? { ...outcome, knownResetAt: resetOfFullest(provider.quotas, now) } : outcome;
  const change = health.observe(known, grantedAt, provider, now);
  if (status === "success") provider.provenAt = Math.max(provider.provenAt, grantedAt);
  provider.invalidate();
  // A lease that is still in the trial no longer keeps others from it.
  if (change !== "nothing") provider.trial = null;
  const end = health.cooldownUntil;
  // A cooldown of length 0 has neither a start nor an end.
  if (end !== endBefore && Math.max(end, endBefore) > now) provider.cooldownStartEmitted();
  if (change === "success" || change === "recovered") {
    ramp.succeeded(change === "recovered", now);
    provider.emitEndedCooldown(events, now);
  } else if (change !== "nothing") {
    if (change === "cooldown") {
      counters.cooldownsTriggered++;
      if (status === "rate_limited") provider.limited(now);
    }
    provider.cooldownStatus = status;
    events.emit("cooldownStarted", { provider: name, status, durationMs: end - now });
  }
  if (health.isDead !== wasDead) events.emit(wasDead ? "providerRevived" : "providerDead", { provider: name });
}

/** Instant of the next reset of the fullest quota; considers only quotas with known resets. Null: there is no such quota. */
function resetOfFullest(quotas: readonly Quota[], now: number): number | null {
  let lowestRatio = Infinity;
  let resetAt: number | null = null;
  for (const quota of quotas) {
    const resets = quota.tracker.resets?.(now);
    if (!resets?.isKnown || !Number.isFinite(resets.at) || quota.ratio(now) >= lowestRatio) continue;
    lowestRatio = quota.ratio(now);
    resetAt = resets.at;
  }
  return resetAt;
}
