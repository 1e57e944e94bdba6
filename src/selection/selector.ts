// select: eligible -> score -> rank.
//
//   eligible:  registered, not excluded, not dead, not paused, not in cooldown, health >= minimum (or in a trial), and
//              nothing asked for is more than a limit can ever hold
//   rank:      see ranking.ts
import { NoAvailableProviders } from "../errors.ts";
import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";
import type { Profile } from "../profile/profile.ts";
import type { Capability } from "../provider/capability.ts";
import type { Registry } from "../provider/registry.ts";
import type { ScoringStrategy } from "../scoring/scoring-strategy.ts";
import type { WeightedScorer } from "../scoring/weighted-scorer.ts";
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
  /** The same, if it answers by the four parts and the weight alone; else null. */
  readonly weighted: WeightedScorer | null;
  /** No score counts more than this. */
  readonly mostScore: number;
  readonly minimumHealth: number;
  readonly counters: Counters;
  readonly events: Events;
}

/** Ranks the capability's providers for a request at `now`; throws NoAvailableProviders. Tells ended cooldowns, reserves nothing. */
export function select(capability: Capability, request: Request, parts: SelectionParts, now: number): Decision {
  const { counters } = parts;
  counters.selects++;
  const ranking = rank(capability, request, parts, now, false);
  if (ranking.size > 0) return ranking.decision(0);
  const { listed } = ranking;
  if (listed.length === 0) parts.profile.miscalls.emptyCapability(counters);
  else counters.noProviderAvailable++;
  const reasons = listed.map((entry) => reasonAgainst(capability, entry, request, parts, now, false));
  throw new NoAvailableProviders(capability.name, refusalOf(reasons));
}

/**
 * Ranks the providers. The waits are exact, as `select` tells them, but for a lease, which is granted now or not: there
 * they are Infinity where more is needed than is counted yet.
 */
export function rank(
  capability: Capability,
  request: Request,
  parts: SelectionParts,
  now: number,
  isLease: boolean,
): Ranking {
  const ranking = takeRanking(capability, parts);
  ranking.update(capability, request, parts, now, isLease);
  // A strategy may ask the limiter in its turn; only what is finished is used again.
  capability.list.kept = ranking;
  return ranking;
}

function takeRanking(capability: Capability, parts: SelectionParts): Ranking {
  const listed = parts.registry.listed(capability);
  const { list } = capability;
  const kept = list.kept as Ranking | null;
  list.kept = null;
  return kept !== null && kept.listed === listed ? kept : new Ranking(listed, parts.registry.standings);
}
