import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { LOAD } from "./scenario.ts";
import type { Arrival } from "./workload.ts";

/** Sends one request and waits for capacity until `deadline` (of `performance.now()`). False: the deadline passed. */
export type Client = (request: Arrival, deadline: number) => Promise<boolean>;

/** The results of the requests so far, as the client sees them. */
export interface Outcome {
  arrived: number;
  failures: number;
  readonly successes: Success[];
}

/** One served request: its arrival in ms since the start of the run, and its latency from then. */
export interface Success {
  readonly atMs: number;
  readonly latencyMs: number;
}

/** Sends the workload through a client, each request at its time, and updates `outcome`. */
export async function replay(arrivals: readonly Arrival[], client: Client, outcome: Outcome): Promise<void> {
  const startedAt = performance.now();
  const inFlight: Promise<void>[] = [];
  for (const arrival of arrivals) {
    const at = startedAt + arrival.atMs;
    const early = at - performance.now();
    if (early > 0) await sleep(early);
    outcome.arrived++;
    inFlight.push(serve(arrival, at));
  }
  await Promise.all(inFlight);

  async function serve(arrival: Arrival, at: number): Promise<void> {
    if (await client(arrival, at + LOAD.patienceMs))
      outcome.successes.push({ atMs: arrival.atMs, latencyMs: performance.now() - at });
    else outcome.failures++;
  }
}
