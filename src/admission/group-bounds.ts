import type { Capability } from "../provider/capability.ts";
import type { Registry } from "../provider/registry.ts";
import { DemandBounds } from "./demand-bounds.ts";
import type { Waiter } from "./waiter.ts";

/** Bounds of the demands of several waiters. */
export function boundsOf(waiters: Iterable<Waiter>, registry: Registry): DemandBounds {
  const bounds = new DemandBounds();
  for (const waiter of waiters) {
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
