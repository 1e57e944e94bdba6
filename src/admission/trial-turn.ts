import type { Provider } from "../provider/provider.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import type { Waiter } from "./waiter.ts";

/** Yields each free trial and the waiter that gets it, unless that is the next waiter anyway. */
export function* trialsOutOfTurn(
  waiters: Iterable<Waiter>,
  { registry, minimumHealth }: SelectionContext,
  now: number,
): Generator<readonly [Provider, Waiter]> {
  for (const provider of registry.providers.values()) {
    const state = provider.state(now, minimumHealth);
    if (provider.trial !== null || !provider.isOpenForTrial(state, true, now)) continue;
    let first: Waiter | null = null;
    let chosen: Waiter | null = null;
    for (const waiter of waiters) {
      const names = registry.capabilities.get(waiter.capability)?.list.names;
      if (!names?.has(provider.name) || waiter.request.excludes(provider.name)) continue;
      if (first === null || isAhead(waiter, first, 0)) first = waiter;
      // The difference of two infinite ranks is NaN and counts as 0.
      if (chosen === null || isAhead(waiter, chosen, waiter.trialRank - chosen.trialRank)) chosen = waiter;
    }
    if (chosen !== null && chosen !== first) yield [provider, chosen];
  }
}

/** Compares by priority, then by the difference of the ranks, then by arrival. */
function isAhead(a: Waiter, b: Waiter, difference: number): boolean {
  return (b.priority - a.priority || difference || a.order - b.order) < 0;
}
