// select: eligible -> score -> rank.
//
//   eligible:  registered, not excluded, not dead, not paused, not in cooldown, health >= minimum (or in a trial), and
//              nothing asked for is more than a limit can ever hold
//   rank:      those with room now first, then by how soon there is room (unknown last); equals by score, then list order

import { NoAvailableProviders } from "../errors.ts";
import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";
import { type Profile, TOO_LARGE } from "../profile/profile.ts";
import type { Capability, Listed } from "../provider/capability.ts";
import { priorityOf } from "../provider/capability.ts";
import type { Registry } from "../provider/registry.ts";
import { finiteScore, type ScoringStrategy } from "../scoring/scoring-strategy.ts";
import { CandidateContext } from "./candidate-context.ts";
import { type Alternative, type Decision, RankedDecision } from "./decision.ts";
import { reasonAgainst } from "./reason-against.ts";
import { type RefusalReason, refusalOf } from "./refusal.ts";
import type { Request } from "./request.ts";

/** The parts of a limiter that a selection reads. */
export interface SelectionParts {
  readonly registry: Registry;
  readonly profile: Profile;
  readonly strategy: ScoringStrategy;
  readonly minimumHealth: number;
  readonly counters: Counters;
  readonly events: Events;
}

/** An eligible provider on its way into the ranking. */
interface Candidate extends Alternative {
  readonly waitMs: number;
  readonly quota: number;
  readonly health: number;
  readonly priority: number;
  readonly latency: number;
}

/** Ranks the capability's providers for a request at `now`; throws NoAvailableProviders. Tells ended cooldowns, reserves nothing. */
export function select(capability: Capability, request: Request, parts: SelectionParts, now: number): Decision {
  const { registry, counters } = parts;
  counters.selects++;
  const listed = registry.listed(capability);
  const candidates = eligible(capability, listed, request, parts, now);
  if (candidates.length > 0) return decisionOf(candidates.sort(byRank));
  if (listed.length === 0) parts.profile.miscalls.emptyCapability(counters);
  else counters.noProviderAvailable++;
  throw new NoAvailableProviders(capability.name, refusalOf(reasons(listed, request, parts, now)));
}

function eligible(
  capability: Capability,
  listed: readonly Listed[],
  request: Request,
  parts: SelectionParts,
  now: number,
): Candidate[] {
  const { profile, strategy, minimumHealth } = parts;
  const [maxPriority, maxLatencyMs] = maxima(listed, parts.events, now);
  const context = new CandidateContext(capability.name, request, maxPriority, maxLatencyMs, now);
  const candidates: Candidate[] = [];
  for (const entry of listed) {
    const { provider } = entry;
    if (provider === null || request.excludes(provider.name)) continue;
    const state = provider.state(now, minimumHealth);
    if (state !== "available" && state !== "trial") continue;
    const { quotas, health, settings } = provider;
    const waitMs = profile.waitMs(quotas, request.needs(settings.price), now);
    if (waitMs === TOO_LARGE) continue;
    const quotaScore = profile.quotaScore(quotas, now);
    context.turnTo(provider, priorityOf(entry), quotaScore, profile.healthScore(health, state, now));
    candidates.push({
      provider: provider.name,
      score: finiteScore(strategy.score(context)),
      waitMs,
      quota: profile.reportedQuotaScore(quotas, quotaScore, now),
      health: context.healthScore,
      priority: context.priorityScore,
      latency: context.latencyScore,
    });
  }
  return candidates;
}

/** The highest priority of the list, and the slowest latency among the registered; 1 where none is known. */
function maxima(listed: readonly Listed[], events: Events, now: number): [priority: number, latencyMs: number] {
  let maxPriority = 0;
  let maxLatencyMs = 0;
  for (const entry of listed) {
    maxPriority = Math.max(maxPriority, priorityOf(entry));
    if (entry.provider === null) continue;
    entry.provider.tellEndedCooldown(events, now);
    maxLatencyMs = Math.max(maxLatencyMs, entry.provider.health.latencyMs ?? 0);
  }
  return [maxPriority, maxLatencyMs === 0 ? 1 : maxLatencyMs];
}

function byRank(a: Candidate, b: Candidate): number {
  // Infinity - Infinity is no order, so that equal waits are looked at first.
  return a.waitMs === b.waitMs ? b.score - a.score : a.waitMs - b.waitMs;
}

function decisionOf(ranked: readonly Candidate[]): Decision {
  const best = ranked[0]!;
  const alternatives: Alternative[] = [];
  for (let i = 1; i < ranked.length; i++) alternatives.push({ provider: ranked[i]!.provider, score: ranked[i]!.score });
  return new RankedDecision(
    best.provider,
    best.score,
    Number.isFinite(best.waitMs) ? best.waitMs : null,
    {
      quotaScore: best.quota,
      healthScore: best.health,
      priorityScore: best.priority,
      latencyScore: best.latency,
    },
    alternatives,
  );
}

function reasons(listed: readonly Listed[], request: Request, parts: SelectionParts, now: number): RefusalReason[] {
  return listed.map((entry) => reasonAgainst(entry, request, parts.profile, parts.minimumHealth, now));
}
