import type { Seen, SeenRequest, ServerPlan } from "./limited-servers.ts";

/** One request that a client sent, with the times of the client. */
export interface RoundTrip<Name extends string = string> {
  readonly provider: Name;
  /** Instant of the grant, Unix ms. */
  readonly at: number;
  /** Time from the grant until the server had certainly counted the request. */
  readonly ms: number;
}

/** The served share of the capacity of a server in one interval. */
export interface Share {
  readonly refused: number;
  /** 1: everything that `limit x time / (window + mean round trip)` or `places x time / mean round trip` allows. */
  readonly served: number;
  readonly meanRoundTripMs: number;
}

/**
 * Returns the share that one server served from `fromMs` (Unix ms) on, over all whole periods that end by `untilMs`.
 * A period is the window plus the mean round trip, after which an amount can be used again. Load that started as a
 * burst returns as one in every period, so an interval of another length would contain a burst more or less.
 */
export function shareOf(
  plan: ServerPlan,
  seen: Seen,
  trips: readonly RoundTrip[],
  fromMs: number,
  untilMs: number,
): Share {
  const mine = trips.filter(({ provider, at }) => provider === plan.name && at >= fromMs && at < untilMs);
  const meanRoundTripMs = mine.reduce((sum, { ms }) => sum + ms, 0) / mine.length;
  const refused = seen.requests.filter(({ status }) => status === 429).length;
  const [window] = plan.windows;
  const turnMs = (window?.windowMs ?? 0) + meanRoundTripMs;
  const turns = Math.floor((untilMs - fromMs) / turnMs);
  const limit = window?.limit ?? plan.places ?? Number.NaN;
  const amountOf = (request: SeenRequest) => (window?.counts === "tokens" ? request.tokens : 1);
  const served = seen.requests
    .filter(({ at, status }) => status !== 429 && at >= fromMs && at < fromMs + turns * turnMs)
    .reduce((sum, request) => sum + amountOf(request), 0);
  return { refused, served: served / (limit * turns), meanRoundTripMs };
}

/**
 * Returns the maximum that a server served in any interval of one window, as a share of its limit. 1: the limit was
 * used up.
 */
export function peakOf(plan: ServerPlan, { requests, mostAtOnce }: Seen): number {
  const [window] = plan.windows;
  if (window === undefined) return mostAtOnce / (plan.places ?? Number.NaN);
  const accepted = requests.filter(({ status }) => status !== 429);
  const amountOf = ({ tokens }: SeenRequest) => (window.counts === "tokens" ? tokens : 1);
  let most = 0;
  let sum = 0;
  let oldest = 0;
  for (const request of accepted) {
    sum += amountOf(request);
    while (accepted[oldest]!.at <= request.at - window.windowMs) sum -= amountOf(accepted[oldest++]!);
    most = Math.max(most, sum);
  }
  return most / window.limit;
}

/** One line for the output of the tests. */
export function figures<Name extends string>(title: string, shares: { readonly [name in Name]: Share }): string {
  const all = Object.entries<Share>(shares);
  const refused = all.reduce((sum, [, share]) => sum + share.refused, 0);
  const parts = all.map(([name, { served, meanRoundTripMs }]) => {
    return `${name} ${(100 * served).toFixed(1)} % (${meanRoundTripMs.toFixed(0)} ms)`;
  });
  return `${title}: ${refused} 429s; of capacity (mean round trip): ${parts.join(", ")}`;
}
