import type { Registry } from "../provider/registry.ts";
import type { Waiter } from "./waiter.ts";

/** Number of waiters of at least that priority that can use one of these providers. */
export function waitersAhead(
  waiters: Iterable<Waiter>,
  priority: number,
  providers: readonly { readonly name: string }[],
  { capabilities }: Registry,
): number {
  let count = 0;
  for (const waiter of waiters) {
    const names = capabilities.get(waiter.capability)?.list.names;
    const shares = providers.some(({ name }) => names?.has(name) && !waiter.request.excludes(name));
    if (waiter.priority >= priority && shares) count++;
  }
  return count;
}
