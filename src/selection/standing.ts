import type { Events } from "../events.ts";
import type { Profile } from "../profile/profile.ts";
import type { Standings } from "../provider/standings.ts";

/** What a standing is read with. */
export interface StandingParts {
  readonly profile: Profile;
  readonly minimumHealth: number;
  readonly events: Events;
}

/**
 * Reads again what changed of a provider by `now`, and until when that stands: everything if something was counted there,
 * else what time changes. Tells a cooldown that has ended.
 */
export function readStanding(slot: number, standings: Standings, parts: StandingParts, now: number): void {
  const isTouched = standings.until[slot] === Number.NEGATIVE_INFINITY;
  standings.versions[slot]!++;
  if (isTouched) readSettings(slot, standings);
  if (isTouched || now >= standings.healthUntil[slot]!) readHealth(slot, standings, parts, now);
  let until = standings.healthUntil[slot]!;
  if (standings.isEligible[slot] === 1) {
    if (isTouched || now >= standings.quotasUntil[slot]!) readQuotas(slot, standings, parts, now);
    const quotasUntil = standings.quotasUntil[slot]!;
    if (quotasUntil < until) until = quotasUntil;
  }
  // What changes at every instant is as yet untouched.
  standings.until[slot] = until === Number.NEGATIVE_INFINITY ? now : until;
}

function readSettings(slot: number, standings: Standings): void {
  const { settings, hasSizes } = standings.providers[slot]!;
  // `+ 0` turns -0 into 0, which JSON cannot tell apart.
  standings.priorities[slot] = settings.priority + 0;
  standings.weights[slot] = settings.weight;
  standings.sizing[slot] = hasSizes ? (settings.price === null ? 1 : 2) : 0;
}

function readHealth(slot: number, standings: Standings, parts: StandingParts, now: number): void {
  const { profile, minimumHealth, events } = parts;
  const provider = standings.providers[slot]!;
  provider.tellEndedCooldown(events, now);
  const { health } = provider;
  const state = provider.state(now, minimumHealth);
  const isEligible = state === "available" || state === "ramping" || state === "trial";
  // Its quotas are not read while it is not.
  if (isEligible && standings.isEligible[slot] === 0) standings.quotasUntil[slot] = Number.NEGATIVE_INFINITY;
  standings.isEligible[slot] = Number(isEligible);
  standings.latencies[slot] = health.latencyMs ?? 0;
  if (isEligible) standings.healthScores[slot] = profile.healthScore(health, state === "trial", now);
  const until = health.steadyUntil(now);
  standings.healthUntil[slot] = provider.cooldownToldAt < until ? provider.cooldownToldAt : until;
}

function readQuotas(slot: number, standings: Standings, { profile }: StandingParts, now: number): void {
  const { reading } = standings;
  profile.readQuotas(standings.providers[slot]!.quotas, now, reading);
  standings.quotaScores[slot] = reading.score;
  standings.reportedScores[slot] = reading.reported;
  standings.roomForRequests[slot] = reading.roomForRequests;
  standings.roomForSizes[slot] = reading.roomForSizes;
  standings.quotasUntil[slot] = reading.until;
}
