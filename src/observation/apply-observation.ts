import type { Events } from "../events.ts";
import type { Outcome } from "../health/health.ts";
import type { Counters } from "../metrics.ts";
import type { Profile } from "../profile/profile.ts";
import type { Provider } from "../provider/provider.ts";
import type { SizeEstimate } from "../provider/size-estimate.ts";
import type { Quota } from "../quota/quota.ts";
import { UNSPECIFIED } from "../quota/usage-vector.ts";
import type { ObservationReader } from "./observation-reader.ts";
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
  if (size !== null && observed.status === "success") size.learn(observed.amounts, UNSPECIFIED);
  countUsage(provider, observed, context, now);
  updateHealth(provider, observed, now, context, now);
}

function countUsage(provider: Provider, observed: ObservationReader, context: ObservationContext, now: number): void {
  const { amounts, status } = observed;
  const { price } = provider.settings;
  // A request that was rejected before any work costs nothing.
  context.profile.countObserved(amounts, price !== null && UNSERVED.includes(status) ? null : price);
  const { quotas } = provider;
  for (let i = 0; i < quotas.length; i++) {
    const quota = quotas[i]!;
    if (quota.record(amounts[quota.index]!, now)) raiseLimitReached(context.events, provider.name, quota);
  }
}

/** Emits that the last remaining amount of a quota was used. */
export function raiseLimitReached(events: Events, provider: string, quota: Quota): void {
  const { dimension, window } = quota.spec;
  events.emit("limitReached", { provider, dimension, window, pool: quota.pool });
}

/** Updates the health of a provider. Emits a cooldown or a death that follows, and starts the ramp-up after a recovery. */
export function updateHealth(
  provider: Provider,
  outcome: Outcome,
  grantedAt: number,
  context: ObservationContext,
  now: number,
): void {
  const { health, settings, name } = provider;
  const { status } = outcome;
  const wasDead = health.isDead;
  const endBefore = health.cooldownUntil;
  const known =
    status === "quota_exhausted" ? { ...outcome, knownResetAt: resetOfFullest(provider.quotas, now) } : outcome;
  const hasRecovered = health.observe(known, grantedAt, settings.cooldownSeconds, now);
  provider.invalidate();
  const end = health.cooldownUntil;
  if (end !== endBefore) {
    const before = Math.max(0, endBefore - now);
    const durationMs = Math.max(0, end - now);
    // A cooldown of length 0 has neither a start nor an end.
    if (durationMs + before > 0) provider.cooldownStartEmitted();
    if (durationMs > before) {
      if (before === 0) context.counters.cooldownsTriggered++;
      context.events.emit("cooldownStarted", { provider: name, status, durationMs });
    }
  } else if (hasRecovered) provider.ramp.start(now);
  if (health.isDead && !wasDead) context.events.emit("providerDead", { provider: name });
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
