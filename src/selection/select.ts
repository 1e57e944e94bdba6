// select: eligible -> score -> rank.
//
//   eligible:  registered, not excluded, not dead, not paused, not in cooldown, health >= minimum (or in a trial), and
//              nothing asked for is more than a limit can ever hold
//   rank:      see ranking.ts

import type { Decision } from "../api/decision.ts";
import { NoAvailableProviders } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import { Ranking } from "./ranking.ts";
import { refusalOf } from "./refusal.ts";
import { refusalReasonFor } from "./refusal-reason.ts";
import type { RequestSpec } from "./request-spec.ts";
import type { SelectionContext } from "./selection-context.ts";

/** Ranks the capability's providers for a request at `now`; throws NoAvailableProviders. Tells ended cooldowns, reserves nothing. */
export function select(capability: Capability, request: RequestSpec, parts: SelectionContext, now: number): Decision {
  const { counters } = parts;
  counters.selects++;
  const ranking = rank(capability, request, parts, now, false);
  if (ranking.size > 0) return ranking.decision(0);
  const { listed } = ranking;
  if (listed.length === 0) parts.profile.miscalls.emptyCapability(counters);
  else counters.noProviderAvailable++;
  const reasons = listed.map((entry) => refusalReasonFor(capability, entry, request, parts, now, false));
  throw new NoAvailableProviders(capability.name, refusalOf(reasons));
}

/**
 * Ranks the providers. The waits are exact, as `select` tells them, but for a lease, which is granted now or not: there
 * they are Infinity where more is needed than is counted yet.
 */
export function rank(
  capability: Capability,
  request: RequestSpec,
  parts: SelectionContext,
  now: number,
  isLease: boolean,
): Ranking {
  const ranking = takeRanking(capability, parts);
  ranking.update(capability, request, parts, now, isLease);
  // A strategy may ask the limiter in its turn; only what is finished is used again.
  capability.list.kept = ranking;
  return ranking;
}

function takeRanking(capability: Capability, parts: SelectionContext): Ranking {
  const listed = parts.registry.listed(capability);
  const { list } = capability;
  const kept = list.kept as Ranking | null;
  list.kept = null;
  return kept !== null && kept.listed === listed ? kept : new Ranking(listed);
}
