import type { Capability } from "../provider/capability.ts";
import type { Registry } from "../provider/registry.ts";
import { DemandBounds } from "./demand-bounds.ts";
import { waitersOf } from "./wait-queue.ts";
import type { LaneGroup, Waiter } from "./waiter.ts";

/** True if bounds of all waiters of a group pass the check. They are computed again at most once in each pass. */
export function isWithinBounds(
  group: LaneGroup,
  registry: Registry,
  pass: number,
  check: (bounds: DemandBounds) => boolean,
): boolean {
  if (group.bounds !== null && check(group.bounds)) return true;
  if (group.boundsOfPass === pass) return false;
  // The bounds of waiters that have left are gone now.
  group.bounds = boundsOf(group, registry);
  group.boundsOfPass = pass;
  return check(group.bounds);
}

function boundsOf(group: LaneGroup, registry: Registry): DemandBounds {
  const bounds = new DemandBounds();
  for (const waiter of waitersOf(group)) {
    const capability = registry.capabilities.get(waiter.capability);
    if (capability !== undefined) addToBounds(bounds, waiter, capability, registry);
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
