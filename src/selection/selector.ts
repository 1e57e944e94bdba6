// select: eligible -> score -> rank.
//
//   eligible:  registered, not excluded, not dead, not paused, not in cooldown, health >= minimum (or in a trial), and
//              nothing asked for is more than a limit can ever hold
//   rank:      those with room now first, then by how soon there is room (unknown last); equals by score, then list order

import { NoAvailableProviders } from "../errors.ts";
import type { Events } from "../events.ts";
import type { PendingStamps } from "../forecast/live-quota.ts";
import type { Counters } from "../metrics.ts";
import { type Profile, TOO_LARGE } from "../profile/profile.ts";
import type { Capability, Listed } from "../provider/capability.ts";
import { priorityOf } from "../provider/capability.ts";
import type { Provider, ProviderState } from "../provider/provider.ts";
import type { Registry } from "../provider/registry.ts";
import type { Needs } from "../quota/amounts.ts";
import { finiteScore, type ScoringStrategy } from "../scoring/scoring-strategy.ts";
import { CandidateContext } from "./candidate-context.ts";
import { type Alternative, type Decision, RankedDecision } from "./decision.ts";
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

/** An eligible provider on its way into the ranking. */
export interface Candidate {
  readonly provider: Provider;
  readonly entry: Listed;
  readonly state: ProviderState;
  readonly needs: Needs;
  readonly score: number;
  /** Infinity: at no known time. */
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
  const candidates = ranked(capability, request, parts, now, parts.pending);
  if (candidates.length > 0) return decisionOf(candidates, candidates[0]!);
  if (listed.length === 0) parts.profile.miscalls.emptyCapability(counters);
  else counters.noProviderAvailable++;
  const reasons = listed.map((entry) => reasonAgainst(entry, request, parts, now, false));
  throw new NoAvailableProviders(capability.name, refusalOf(reasons));
}

/**
 * The eligible providers, best first. With `pending` their waits are exact, as `select` tells them; without it, for a
 * lease, they are Infinity where more is needed than is counted yet.
 */
export function ranked(
  capability: Capability,
  request: Request,
  parts: SelectionParts,
  now: number,
  pending?: PendingStamps,
): Candidate[] {
  const { profile, strategy, minimumHealth } = parts;
  const listed = parts.registry.listed(capability);
  const [maxPriority, maxLatencyMs] = maxima(listed, parts.events, now);
  const context = new CandidateContext(capability.name, request, maxPriority, maxLatencyMs, now);
  const candidates: Candidate[] = [];
  for (const entry of listed) {
    const { provider } = entry;
    if (provider === null || request.excludes(provider.name)) continue;
    const state = provider.state(now, minimumHealth);
    if (!ELIGIBLE.includes(state)) continue;
    const { quotas, health } = provider;
    const needs = request.needs(entry, pending === undefined);
    const waitMs = profile.waitMs(quotas, needs, now, pending);
    if (waitMs === TOO_LARGE) continue;
    const quotaScore = profile.quotaScore(quotas, now);
    context.turnTo(provider, priorityOf(entry), quotaScore, profile.healthScore(health, state === "trial", now));
    candidates.push({
      provider,
      entry,
      state,
      needs,
      score: finiteScore(strategy.score(context)),
      waitMs,
      quota: profile.reportedQuotaScore(quotas, quotaScore, now),
      health: context.healthScore,
      priority: context.priorityScore,
      latency: context.latencyScore,
    });
  }
  return candidates.sort(byRank);
}

const ELIGIBLE: readonly ProviderState[] = ["available", "ramping", "trial"];

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

/** The decision for `best`, with the others as its alternatives. */
export function decisionOf(candidates: readonly Candidate[], best: Candidate): Decision {
  const alternatives: Alternative[] = [];
  for (const other of candidates) {
    if (other !== best) alternatives.push({ provider: other.provider.name, score: other.score });
  }
  return new RankedDecision(
    best.provider.name,
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
