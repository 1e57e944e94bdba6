import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { LOAD } from "./scenario.ts";
import type { Arrival } from "./workload.ts";

/** Gets one request served, waiting for room until `deadline` (of `performance.now()`); false: there was none in time. */
export type Client = (request: Arrival, deadline: number) => Promise<boolean>;

/** What became of the requests so far, as the client sees it. */
export interface Outcome {
  arrived: number;
  failures: number;
  readonly successes: Success[];
}

/** One request that was served: when it arrived, in ms since the start of the run, and how long it took from then. */
export interface Success {
  readonly atMs: number;
  readonly latencyMs: number;
}

/** Sends the workload through a client, each request at its time; `outcome` is kept up to date meanwhile. */
export async function replay(arrivals: readonly Arrival[], client: Client, outcome: Outcome): Promise<void> {
  const startedAt = performance.now();
  const underway: Promise<void>[] = [];
  for (const arrival of arrivals) {
    const at = startedAt + arrival.atMs;
    const early = at - performance.now();
    if (early > 0) await sleep(early);
    outcome.arrived++;
    underway.push(serve(arrival, at));
  }
  await Promise.all(underway);

  async function serve(arrival: Arrival, at: number): Promise<void> {
    if (await client(arrival, at + LOAD.patienceMs))
      outcome.successes.push({ atMs: arrival.atMs, latencyMs: performance.now() - at });
    else outcome.failures++;
  }
}
