// The five servers of the tests with real HTTP, one for each kind of limit, and the configuration of a program that
// follows their documentation: exactly the true limits, without the way in which they are counted.

import type { ProviderConfig } from "../../../src/index.ts";
import type { ServerPlan } from "./limited-servers.ts";

export const WINDOW_MS = 10_000;

/** Maximum delay of the network in each direction. */
export const DELAY_MS = 300;

export type ServerName = "fixed" | "sliding" | "bucket" | "tokens" | "places";

export const SERVERS: readonly ServerPlan<ServerName>[] = [
  {
    name: "fixed",
    windows: [{ algorithm: "fixed window", counts: "requests", limit: 120, windowMs: WINDOW_MS }],
    workMs: [20, 80],
  },
  {
    name: "sliding",
    windows: [{ algorithm: "sliding log", counts: "requests", limit: 110, windowMs: WINDOW_MS }],
    workMs: [20, 80],
  },
  {
    name: "bucket",
    windows: [{ algorithm: "token bucket", counts: "requests", limit: 100, windowMs: WINDOW_MS }],
    workMs: [20, 80],
  },
  {
    name: "tokens",
    windows: [{ algorithm: "sliding log", counts: "tokens", limit: 12_000, windowMs: WINDOW_MS }],
    workMs: [20, 80],
  },
  // Processing takes longer than the network, so the server is at its limit when the client assumes it.
  { name: "places", windows: [], places: 10, workMs: [600, 1_000] },
];

export const SERVER_NAMES: readonly ServerName[] = SERVERS.map(({ name }) => name);

/** Tokens of one request: 20 to 180, known before it is sent. */
export function tokensOf(random: () => number): number {
  return 20 + Math.floor(161 * random());
}

/** The true limits of a provider as configuration of the limiter. */
export function declared({ name, windows, places }: ServerPlan<ServerName>): ProviderConfig<ServerName> {
  const quotas = windows.map(
    ({ counts, limit, windowMs }) => ({ dimension: counts, limit, window: { seconds: windowMs / 1_000 } }) as const,
  );
  return { name, quotas, ...(places !== undefined && { limits: { concurrency: places } }) };
}
