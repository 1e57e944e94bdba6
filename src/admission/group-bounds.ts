import type { Capability } from "../provider/capability.ts";
import type { Registry } from "../provider/registry.ts";
import { DemandBounds } from "./demand-bounds.ts";
import type { LaneGroup, Waiter } from "./waiter.ts";

/** Bounds of the demands of all waiters of a group. */
export function boundsOf({ lanes }: LaneGroup, registry: Registry): DemandBounds {
  const bounds = new DemandBounds();
  for (const { capability, first } of lanes.values()) {
    const known = registry.capabilities.get(capability);
    if (known === undefined) continue;
    for (let waiter = first; waiter !== null; waiter = waiter.next) addToBounds(bounds, waiter, known, registry);
  }
  return bounds;
}

/** Extends bounds to the demand of a waiter on each provider that it might go to. */
export function addToBounds(
  bounds: DemandBounds,
  { request, deadline }: Waiter,
  capability: Capability,
  registry: Registry,
): void {
  for (const entry of registry.listed(capability)) {
    const { name, provider } = entry;
    if (provider === null || request.excludes(name)) continue;
    bounds.add(provider, request.demandOn(capability, entry, true), deadline);
  }
}
