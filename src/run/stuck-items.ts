import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { MapTurns } from "./map-turns.ts";
import { placesFreedAt } from "./refusal-reasons.ts";
import type { RunDependencies } from "./run-dependencies.ts";

/**
 * Calls `giveUp` once an item of `map` has waited for `stuckAfterMs` for places that leases of this limiter hold, and of which
 * none was freed, unless tasks of its own batch run. Returns the function that cancels this.
 */
export function watchPlaces(
  parts: RunDependencies,
  capability: Capability,
  request: RequestSpec,
  { startedAt, stuckAfterMs, hasTasks }: MapTurns,
  giveUp: () => void,
): () => void {
  const { admission, time } = parts;
  let cancel: () => void;
  const checkAt = (at: number) => {
    cancel = admission.watch(undefined, at, () => {
      const stuckAt = Math.max(startedAt, placesFreedAt(parts, capability, request)) + stuckAfterMs;
      if (hasTasks()) checkAt(time.now + stuckAfterMs);
      else if (stuckAt <= time.now) giveUp();
      else checkAt(Math.min(stuckAt, time.now + stuckAfterMs));
    });
  };
  checkAt(startedAt + stuckAfterMs);
  admission.endStep();
  return () => cancel();
}
