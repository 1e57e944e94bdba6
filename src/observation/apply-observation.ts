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

/** The parts of a limiter that an observation writes to. */
export interface ObservationParts {
  readonly profile: Profile;
  readonly counters: Counters;
  readonly events: Events;
}

/** Applies an observation to trackers, size estimate and health. */
export function applyObservation(
  provider: Provider,
  observed: ObservationReader,
  size: SizeEstimate | null,
  parts: ObservationParts,
  now: number,
): void {
  parts.counters.observations++;
  parts.counters.invalidUsages += observed.invalid;
  if (size !== null && observed.status === "success") {
    size.learn(observed.amounts, UNSPECIFIED);
    provider.invalidate();
  }
  countUsage(provider, observed, parts, now);
  updateHealth(provider, observed, now, parts, now);
}

function countUsage(provider: Provider, observed: ObservationReader, parts: ObservationParts, now: number): void {
  const { amounts, status } = observed;
  const { price } = provider.settings;
  // A request without work costs nothing.
  parts.profile.countObserved(amounts, price !== null && UNSERVED.includes(status) ? null : price);
  const { quotas } = provider;
  for (let i = 0; i < quotas.length; i++) {
    const quota = quotas[i]!;
    if (quota.record(amounts[quota.index]!, now)) raiseLimitReached(parts.events, provider.name, quota);
  }
}

/** A quota went from something left to nothing. */
export function raiseLimitReached(events: Events, provider: string, quota: Quota): void {
  const { dimension, window } = quota.spec;
  events.emit("limitReached", { provider, dimension, window, pool: quota.pool });
}

/** Updates the health of a provider, and emits the cooldown, death or recovery that follows. */
export function updateHealth(
  provider: Provider,
  outcome: Outcome,
  grantedAt: number,
  parts: ObservationParts,
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
    // A cooldown of no length has neither a start nor an end.
    if (durationMs + before > 0) provider.cooldownStartEmitted();
    if (durationMs > before) {
      if (before === 0) parts.counters.cooldownsTriggered++;
      parts.events.emit("cooldownStarted", { provider: name, status, durationMs });
    }
  } else if (hasRecovered) provider.ramp.start(now);
  if (health.isDead && !wasDead) parts.events.emit("providerDead", { provider: name });
}

/** When the fullest of the quotas whose resets are known is reset next; null: none is known. */
function resetOfFullest(quotas: readonly Quota[], now: number): number | null {
  let least = Infinity;
  let resetAt: number | null = null;
  for (const quota of quotas) {
    const resets = quota.tracker.resets?.(now);
    if (!resets?.isKnown || !Number.isFinite(resets.at) || quota.ratio(now) >= least) continue;
    least = quota.ratio(now);
    resetAt = resets.at;
  }
  return resetAt;
}
