import type { Refusal, RefusalReason } from "../api/refusal.ts";
import type { Capability } from "../provider/capability.ts";
import { refusalOf } from "../selection/refusal.ts";
import { refusalReasonFor } from "../selection/refusal-reason.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { RunDependencies } from "./run-dependencies.ts";

// What is said of a provider that nothing else speaks against.
const HAS_ROOM: RefusalReason["reason"] = "waiters_ahead";
const UNABLE: readonly RefusalReason["reason"][] = ["dead", "paused", "excluded", "not_registered", "too_large"];

/** What speaks now against each provider of the capability, in the order of its list. */
export function refusalReasons(
  { admission, time }: RunDependencies,
  capability: Capability,
  request: RequestSpec,
): RefusalReason[] {
  const { selection } = admission;
  return selection.registry
    .listed(capability)
    .map((entry) => refusalReasonFor(capability, entry, request, selection, time.now, true));
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
export function refusalNow(parts: RunDependencies, capability: Capability, request: RequestSpec): Refusal {
  const reasons = refusalReasons(parts, capability, request);
  const refusal = refusalOf(reasons.filter((reason) => !hasRoom(reason)));
  if (refusal.reasons.length === reasons.length) return refusal;
  return { ...refusal, retryAfterMs: null, retryAfterSeconds: null };
}
