// select: eligible -> score -> rank.
//
//   eligible:  registered, not excluded, not dead, not paused, not in cooldown, health >= minimum (or in a trial), and no
//              demand is larger than its limit. If no provider is eligible: the ones that it can probe
//   score:     see weighted-scorer.ts
//   rank:      see ranking.ts

import type { Decision } from "../api/decision.ts";
import { NoAvailableProviders } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import { affineRank } from "./affinity.ts";
import { Ranking } from "./ranking.ts";
import { refusalOf } from "./refusal.ts";
import { refusalReasonsFor } from "./refusal-reason.ts";
import type { RequestSpec } from "./request-spec.ts";
import type { SelectionContext } from "./selection-context.ts";

/** Returns the decision for a request at `now`. Reserves nothing, emits ended cooldowns. Throws NoAvailableProviders. */
export function select(capability: Capability, request: RequestSpec, context: SelectionContext, now: number): Decision {
  const { counters } = context;
  counters.selects++;
  const ranking = rank(capability, request, context, now, false);
  if (ranking.size > 0) return ranking.decision(affineRank(request, ranking, 0, () => true));
  const { listed } = ranking;
  if (listed.length === 0) context.profile.miscalls.emptyCapability(counters);
  else counters.noProviderAvailable++;
  const reasons = refusalReasonsFor(capability, request, context, now, false);
  throw new NoAvailableProviders(capability.name, refusalOf(reasons));
}

/**
 * Ranks the providers of a capability. The waits are exact, as `select` returns them, except for a lease. A lease is granted
 * now or not at all, so its wait is Infinity if it depends on reservations that are not counted yet.
 */
export function rank(
  capability: Capability,
  request: RequestSpec,
  context: SelectionContext,
  now: number,
  isLease: boolean,
): Ranking {
  const { list } = capability;
  const listed = list.resolved(context.registry.providers);
  const cached = list.cachedRanking as Ranking | null;
  const ranking = cached !== null && cached.listed === listed ? cached : new Ranking(listed);
  // A custom strategy can call the limiter, and that nested call must not use this ranking.
  list.cachedRanking = null;
  ranking.update(capability, request, context, now, isLease);
  list.cachedRanking = ranking;
  return ranking;
}
