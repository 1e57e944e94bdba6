import type { Registry } from "../provider/registry.ts";
import type { Claims, ClaimTarget } from "./claims.ts";
import type { Waiter } from "./waiter.ts";

/** True if the claims of other waiters leave this one nothing on any provider that it can use. */
export function isShutOut({ capability, request, priority }: Waiter, claims: Claims, registry: Registry): boolean {
  const known = registry.capabilities.get(capability);
  if (known === undefined) return false;
  return registry.listed(known).every((entry) => {
    if (entry.provider === null || request.excludes(entry.name)) return true;
    return claims.isShut(entry.provider, request.demandOn(known, entry, true), priority);
  });
}

/** True if requests of that priority are behind at each of the targets, whatever their size. */
export function isShutFor(targets: readonly ClaimTarget[], claims: Claims, priority: number): boolean {
  return targets.every(({ provider, needs }) => claims.isShut(provider, needs, priority));
}
