import type { Refusal, RefusalReason } from "../api/refusal.ts";
import type { Capability } from "../provider/capability.ts";
import { refusalOf } from "../selection/refusal.ts";
import { refusalReasonsFor } from "../selection/refusal-reason.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { RunDependencies } from "./run-dependencies.ts";

// Reason of a provider that has capacity, which a waiter might claim.
const HAS_CAPACITY: RefusalReason["reason"] = "waiters_ahead";
const UNABLE: readonly RefusalReason["reason"][] = ["dead", "paused", "excluded", "not_registered", "too_large"];

/** Reasons why each provider of the capability cannot take the request now, in the order of its list. */
export function refusalReasons(
  { admission, time }: RunDependencies,
  capability: Capability,
  request: RequestSpec,
): RefusalReason[] {
  return refusalReasonsFor(capability, request, admission.selection, time.now, true);
}

/** True if the provider has capacity for the request, waiters aside. */
export function hasCapacity({ reason }: RefusalReason): boolean {
  return reason === HAS_CAPACITY;
}

/** True if neither time nor the end of another request enables the provider to take the request. */
export function isUnable({ reason }: RefusalReason): boolean {
  return UNABLE.includes(reason);
}

/** Refusal of the request as of now. `retryAfterMs` is null if a provider has capacity. */
export function refusalNow(parts: RunDependencies, capability: Capability, request: RequestSpec): Refusal {
  const reasons = refusalReasons(parts, capability, request);
  const refusal = refusalOf(reasons.filter((reason) => !hasCapacity(reason)));
  if (refusal.reasons.length === reasons.length) return refusal;
  return { ...refusal, retryAfterMs: null, retryAfterSeconds: null };
}

/**
 * Instant at which a place was last freed, and taken by the newest lease, at providers where leases of this limiter hold all
 * places. Infinity: a provider of the request lacks something else.
 */
export function placesFreedAt(parts: RunDependencies, capability: Capability, request: RequestSpec): number {
  const { providers } = parts.admission.selection.registry;
  const instants = refusalReasons(parts, capability, request).flatMap((reason) => {
    if (isUnable(reason) && reason.reason !== "paused") return [];
    if (!("heldForMs" in reason)) return Infinity;
    return providers.get(reason.provider)!.quotas.map(({ held }) => held.last?.grantedAt ?? -Infinity);
  });
  return instants.length === 0 ? Infinity : Math.max(...instants);
}
