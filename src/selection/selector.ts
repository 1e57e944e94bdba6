// select: eligible -> score -> rank.
//
//   eligible:  registered, not excluded, not dead, not paused, not in cooldown, health >= minimum (or in a trial), and
//              nothing asked for is more than a limit can ever hold
//   rank:      see ranking.ts
import { NoAvailableProviders } from "../errors.ts";
import type { Events } from "../events.ts";
import type { PendingStamps } from "../forecast/live-quota.ts";
import type { Counters } from "../metrics.ts";
import { type Profile, TOO_LARGE } from "../profile/profile.ts";
import type { Capability } from "../provider/capability.ts";
import { priorityOf } from "../provider/capability.ts";
import type { ProviderState } from "../provider/provider.ts";
import type { Registry } from "../provider/registry.ts";
import { finiteScore, type ScoringStrategy } from "../scoring/scoring-strategy.ts";
import type { Decision } from "./decision.ts";
import { Ranking } from "./ranking.ts";
import { reasonAgainst } from "./reason-against.ts";
import { refusalOf } from "./refusal.ts";
import type { Request } from "./request.ts";

/** The parts of a limiter that a selection reads. */
export interface SelectionParts {
  readonly registry: Registry;
  readonly profile: Profile;
  readonly strategy: ScoringStrategy;
  readonly minimumHealth: number;
  readonly counters: Counters;
  readonly events: Events;
  readonly pending: PendingStamps;
}

/** Ranks the capability's providers for a request at `now`; throws NoAvailableProviders. Tells ended cooldowns, reserves nothing. */
export function select(capability: Capability, request: Request, parts: SelectionParts, now: number): Decision {
  const { counters } = parts;
  counters.selects++;
  const ranking = rank(capability, request, parts, now, parts.pending);
  if (ranking.size > 0) return decisionOf(ranking, 0, parts, now);
  const { listed } = ranking;
  if (listed.length === 0) parts.profile.miscalls.emptyCapability(counters);
  else counters.noProviderAvailable++;
  const reasons = listed.map((entry) => reasonAgainst(entry, request, parts, now, false));
  throw new NoAvailableProviders(capability.name, refusalOf(reasons));
}

/**
 * Ranks the providers. With `pending` the waits are exact, as `select` tells them; without it, for a lease, they are
 * Infinity where more is needed than is counted yet.
 */
export function rank(
  capability: Capability,
  request: Request,
  parts: SelectionParts,
  now: number,
  pending?: PendingStamps,
): Ranking {
  const { profile, strategy, minimumHealth, events } = parts;
  const ranking = takeRanking(capability, parts);
  const { listed, context } = ranking;
  let maxPriority = 0;
  let maxLatencyMs = 0;
  for (const entry of listed) {
    const { provider } = entry;
    const priority = priorityOf(entry);
    if (priority > maxPriority) maxPriority = priority;
    if (provider === null) continue;
    provider.tellEndedCooldown(events, now);
    const { latencyMs } = provider.health;
    if (latencyMs !== null && latencyMs > maxLatencyMs) maxLatencyMs = latencyMs;
  }
  context.begin(request, maxPriority, maxLatencyMs === 0 ? 1 : maxLatencyMs, now);
  ranking.begin();
  for (let place = 0; place < listed.length; place++) {
    const entry = listed[place]!;
    const { provider } = entry;
    ranking.leaveOut(place);
    if (provider === null || request.excludes(provider.name)) continue;
    const state = provider.state(now, minimumHealth);
    if (!isEligible(state)) continue;
    const { quotas } = provider;
    const waitMs = profile.waitMs(quotas, request.needs(entry, pending === undefined), now, pending);
    if (waitMs === TOO_LARGE) continue;
    const healthScore = profile.healthScore(provider.health, state === "trial", now);
    context.turnTo(provider, priorityOf(entry), profile.quotaScore(quotas, now), healthScore);
    ranking.take(place, finiteScore(strategy.score(context)), waitMs);
  }
  ranking.sort();
  // A strategy may ask the limiter in its turn; only what is finished is used again.
  capability.kept = ranking;
  return ranking;
}

/** The decision for the one of that rank. */
export function decisionOf(
  ranking: Ranking,
  at: number,
  { profile, minimumHealth }: SelectionParts,
  now: number,
): Decision {
  const { context } = ranking;
  const entry = ranking.entry(at);
  const provider = ranking.provider(at);
  const { quotas, health } = provider;
  const quotaScore = profile.quotaScore(quotas, now);
  const isTrial = provider.state(now, minimumHealth) === "trial";
  context.turnTo(provider, priorityOf(entry), quotaScore, profile.healthScore(health, isTrial, now));
  const { healthScore, priorityScore, latencyScore } = context;
  const reported = profile.reportedQuotaScore(quotas, quotaScore, now);
  return ranking.decision(at, { quotaScore: reported, healthScore, priorityScore, latencyScore });
}

function isEligible(state: ProviderState): boolean {
  return state === "available" || state === "ramping" || state === "trial";
}

function takeRanking(capability: Capability, parts: SelectionParts): Ranking {
  const listed = parts.registry.listed(capability);
  const kept = capability.kept as Ranking | null;
  capability.kept = null;
  return kept !== null && kept.listed === listed ? kept : new Ranking(capability.name, listed);
}
