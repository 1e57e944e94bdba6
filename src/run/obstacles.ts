import type { Capability } from "../provider/capability.ts";
import { reasonAgainst } from "../selection/reason-against.ts";
import { type Refusal, type RefusalReason, refusalOf } from "../selection/refusal.ts";
import type { Request } from "../selection/request.ts";
import type { RunParts } from "./run-parts.ts";

// What is said of a provider that nothing else speaks against.
const HAS_ROOM: RefusalReason["reason"] = "waiters_ahead";
const UNABLE: readonly RefusalReason["reason"][] = ["dead", "paused", "excluded", "not_registered", "too_large"];

/** What speaks now against each provider of the capability, in the order of its list. */
export function obstacles({ admission, time }: RunParts, capability: Capability, request: Request): RefusalReason[] {
  const { parts } = admission;
  return parts.registry
    .listed(capability)
    .map((entry) => reasonAgainst(capability, entry, request, parts, time.now, true));
}

/** True of one who has room, as far as it knows; somebody in the line may claim it. */
export function hasRoom({ reason }: RefusalReason): boolean {
  return reason === HAS_ROOM;
}

/** True of one whom neither time nor the end of a request makes able to take it. */
export function isUnable({ reason }: RefusalReason): boolean {
  return UNABLE.includes(reason);
}

/** Why nobody takes the request now; no time is told where somebody would. */
export function refusalNow(parts: RunParts, capability: Capability, request: Request): Refusal {
  const reasons = obstacles(parts, capability, request);
  const refusal = refusalOf(reasons.filter((reason) => !hasRoom(reason)));
  if (refusal.reasons.length === reasons.length) return refusal;
  return { ...refusal, retryAfterMs: null, retryAfterSeconds: null };
}
