import type { StatusClass } from "../config/status-class.ts";
import type { Events } from "../events.ts";
import type { LiveQuota } from "../forecast/live-quota.ts";
import type { Counters } from "../metrics.ts";
import type { Profile } from "../profile/profile.ts";
import type { Provider } from "../provider/provider.ts";
import type { Observed } from "./read-observation.ts";

/** The parts of a limiter that an observation writes to. */
export interface ObservationParts {
  readonly profile: Profile;
  readonly counters: Counters;
  readonly events: Events;
}

// Refused before any work was done: nothing but the request itself was used, so that no price is due.
const UNPRICED: ReadonlySet<StatusClass> = new Set(["rate_limited", "quota_exhausted", "unauthorized", "forbidden"]);

/** The one way in which the end of a request reaches trackers and health. */
export function applyObservation(provider: Provider, observed: Observed, parts: ObservationParts, now: number): void {
  parts.counters.observations++;
  parts.counters.invalidUsages += observed.invalid;
  countUsage(provider, observed, parts, now);
  teachHealth(provider, observed, parts, now);
}

function countUsage(provider: Provider, observed: Observed, parts: ObservationParts, now: number): void {
  const { amounts, status } = observed;
  parts.profile.countObserved(amounts, UNPRICED.has(status) ? null : provider.settings.price);
  for (const quota of provider.quotas) {
    const { dimension, window, index } = quota.spec;
    if (quota.record(amounts[index]!, now)) {
      parts.events.raise("limitReached", { provider: provider.name, dimension, window, pool: quota.pool });
    }
  }
}

function teachHealth(provider: Provider, observed: Observed, parts: ObservationParts, now: number): void {
  const { health, settings, name } = provider;
  const { status, latencyMs, retryAfterMs } = observed;
  const wasDead = health.isDead;
  const cooldownBefore = provider.cooldownMs(now);
  const endBefore = health.cooldownUntil;
  const knownResetAt = status === "quota_exhausted" ? resetOfFullest(provider.quotas, now) : null;
  health.observe({ status, latencyMs, retryAfterMs, knownResetAt, grantedAt: now }, settings.cooldownSeconds, now);
  const durationMs = provider.cooldownMs(now);
  if (health.cooldownUntil !== endBefore) provider.cooldownWasTold();
  if (durationMs > cooldownBefore) {
    if (cooldownBefore === 0) parts.counters.cooldownsTriggered++;
    parts.events.raise("cooldownStarted", { provider: name, status, durationMs });
  }
  if (health.isDead && !wasDead) parts.events.raise("providerDead", { provider: name });
}

/** When the fullest of the quotas whose resets are known is reset next; null: none is known. */
function resetOfFullest(quotas: readonly LiveQuota[], now: number): number | null {
  let least = Number.POSITIVE_INFINITY;
  let resetAt: number | null = null;
  for (const quota of quotas) {
    const resets = quota.tracker.resets?.(now);
    if (!resets?.isKnown || !Number.isFinite(resets.at) || quota.ratio(now) >= least) continue;
    least = quota.ratio(now);
    resetAt = resets.at;
  }
  return resetAt;
}
