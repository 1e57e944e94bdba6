import { type Amounts, type SimulatedServer, WINDOW_MS } from "./simulated-servers.ts";

/** The requests that a server saw from one instant on. */
export interface ServedShare {
  readonly refused: number;
  readonly asked: number;
  /** 1: everything that `limit x time / (window + mean round trip)` allows. */
  readonly served: number;
}

/**
 * Counts from `fromMs` on, over all whole periods that end by `untilMs`. A period is the window plus the mean round
 * trip, so that load that returns as a burst in every period counts as often as it should. 429s are counted to the end.
 */
export function servedShare(
  { arrivals }: SimulatedServer,
  { limit, counts }: { readonly limit: number; readonly counts: keyof Amounts },
  meanRoundTripMs: number,
  fromMs: number,
  untilMs: number,
): ServedShare {
  const turnMs = WINDOW_MS + meanRoundTripMs;
  const turns = Math.floor((untilMs - fromMs) / turnMs);
  const later = arrivals.filter(({ at }) => at >= fromMs && at < untilMs);
  const served = later
    .filter(({ at, isAccepted }) => isAccepted && at < fromMs + turns * turnMs)
    .reduce((sum, { amounts }) => sum + amounts[counts], 0);
  return {
    refused: later.filter(({ isAccepted }) => !isAccepted).length,
    asked: later.length,
    served: served / (limit * turns),
  };
}

export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
