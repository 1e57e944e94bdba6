import type { Attempt } from "../api/attempt.ts";
import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";

/** Counts and emits that the attempt after `failed` goes to another provider. */
export function emitFailover(
  { counters, events }: { readonly counters: Counters; readonly events: Events },
  capability: string,
  { provider: from, status }: Attempt,
  to: string,
): void {
  counters.failovers++;
  events.emit("failover", { capability, from, to, status });
  events.flush();
}
