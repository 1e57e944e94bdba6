import type { Events } from "../events.ts";
import type { Profile } from "../profile/profile.ts";
import type { Provider } from "../provider/provider.ts";
import type { Standings } from "../provider/standings.ts";

/** What a standing is read with. */
export interface StandingParts {
  readonly profile: Profile;
  readonly minimumHealth: number;
  readonly events: Events;
}

/** Reads what rankings need to know of a provider at `now`, and until when that stands. Tells a cooldown that has ended. */
export function readStanding(
  provider: Provider,
  standings: Standings,
  { profile, minimumHealth, events }: StandingParts,
  now: number,
): void {
  const { health, settings, slot } = provider;
  provider.tellEndedCooldown(events, now);
  const state = provider.state(now, minimumHealth);
  const isEligible = state === "available" || state === "ramping" || state === "trial";
  standings.versions[slot]!++;
  standings.isEligible[slot] = Number(isEligible);
  standings.priorities[slot] = settings.priority;
  standings.weights[slot] = settings.weight;
  standings.latencies[slot] = health.latencyMs ?? 0;
  let until = health.steadyUntil(now);
  if (provider.cooldownToldAt < until) until = provider.cooldownToldAt;
  if (isEligible) {
    standings.healthScores[slot] = profile.healthScore(health, state === "trial", now);
    const { reading } = standings;
    profile.readQuotas(provider.quotas, now, reading);
    standings.quotaScores[slot] = reading.score;
    standings.reportedScores[slot] = reading.reported;
    if (reading.until < until) until = reading.until;
  }
  standings.until[slot] = until;
}
