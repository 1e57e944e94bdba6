import type { Events } from "../events.ts";
import type { Profile } from "../profile/profile.ts";
import type { Provider } from "../provider/provider.ts";
import {
  CHANGES,
  HEALTH_SCORE,
  HEALTH_UNTIL,
  IS_ELIGIBLE,
  LATENCY,
  PRIORITY,
  QUOTAS,
  QUOTAS_UNTIL,
  SIZING,
  type Standings,
  UNTIL,
  VERSION,
  WEIGHT,
} from "../provider/standings.ts";

/** What a standing is read with. */
export interface StandingParts {
  readonly profile: Profile;
  readonly minimumHealth: number;
  readonly events: Events;
}

/**
 * Reads again what changed of the provider at `at` by `now`, and until when that stands: everything if something was
 * counted there, else what time changes. Tells a cooldown that has ended.
 */
export function readStanding(at: number, standings: Standings, parts: StandingParts, now: number): void {
  const { facts } = standings;
  const provider = standings.provider(at);
  const isTouched = facts[at + UNTIL] === -Infinity;
  facts[at + VERSION]!++;
  if (isTouched) {
    facts[at + CHANGES]!++;
    const { settings, hasSizes } = provider;
    // `+ 0` turns -0 into 0, which JSON cannot tell apart.
    facts[at + PRIORITY] = settings.priority + 0;
    facts[at + WEIGHT] = settings.weight;
    facts[at + SIZING] = hasSizes ? (settings.price === null ? 1 : 2) : 0;
  }
  if (isTouched || now >= facts[at + HEALTH_UNTIL]!) readHealth(at, facts, provider, parts, now);
  let until = facts[at + HEALTH_UNTIL]!;
  if (facts[at + IS_ELIGIBLE] === 1) {
    if (isTouched || now >= facts[at + QUOTAS_UNTIL]!) {
      parts.profile.readQuotas(provider.quotas, facts, at + QUOTAS, now);
    }
    if (facts[at + QUOTAS_UNTIL]! < until) until = facts[at + QUOTAS_UNTIL]!;
  }
  // What changes at every instant is as yet untouched.
  facts[at + UNTIL] = until === -Infinity ? now : until;
}

function readHealth(at: number, facts: Float64Array, provider: Provider, parts: StandingParts, now: number): void {
  const { profile, minimumHealth, events } = parts;
  provider.emitEndedCooldown(events, now);
  const { health } = provider;
  const state = provider.state(now, minimumHealth);
  const isEligible = state === "available" || state === "ramping" || state === "trial";
  // Its quotas are not read while it is not.
  if (isEligible && facts[at + IS_ELIGIBLE] === 0) facts[at + QUOTAS_UNTIL] = -Infinity;
  facts[at + IS_ELIGIBLE] = isEligible ? 1 : 0;
  facts[at + LATENCY] = health.latencyMs ?? 0;
  if (isEligible) facts[at + HEALTH_SCORE] = profile.healthScore(health, state === "trial", now);
  const until = health.steadyUntil(now);
  facts[at + HEALTH_UNTIL] = provider.cooldownEndDueAt < until ? provider.cooldownEndDueAt : until;
}
