import type { Dimension } from "../src/index.ts";

/** How a server enforces one limit. */
export type Algorithm = "fixed window" | "sliding log" | "token bucket";

/** One limit that a server enforces: `limit` per `windowMs`; a token bucket holds `limit` and starts full. */
export interface EnforcedLimit {
  readonly algorithm: Algorithm;
  readonly dimension: Extract<Dimension, "requests" | "tokens">;
  readonly limit: number;
  readonly windowMs: number;
}

/** The four servers. */
export const SERVERS = {
  fixed: [{ algorithm: "fixed window", dimension: "requests", limit: 60, windowMs: 2_000 }],
  sliding: [{ algorithm: "sliding log", dimension: "requests", limit: 75, windowMs: 3_000 }],
  bucket: [{ algorithm: "token bucket", dimension: "requests", limit: 100, windowMs: 4_000 }],
  double: [
    { algorithm: "fixed window", dimension: "requests", limit: 150, windowMs: 5_000 },
    { algorithm: "sliding log", dimension: "tokens", limit: 40_000, windowMs: 5_000 },
  ],
} as const satisfies Record<string, readonly EnforcedLimit[]>;

/** The name of one of the servers. */
export type ServerName = keyof typeof SERVERS;

/** In the order of declaration. */
export const SERVER_NAMES = Object.keys(SERVERS) as ServerName[];

/** One server answers 500 to everything for a while; instants in ms since the start of a run. */
export const INCIDENT = { server: "bucket", fromMs: 5_000, toMs: 7_500 } as const;

/** The time that a server takes for an answer (plus up to `jitterMs`, the same for the same request), a 500 and a 429. */
export const SERVICE = { answerMs: 40, jitterMs: 20, failureMs: 30, refusalMs: 10 } as const;

/** The load as a share of all limits together, and the longest wait of a request for capacity. */
export const LOAD = { share: 0.85, durationMs: 14_000, meanTokens: 400, patienceMs: 5_000 } as const;

/**
 * Both clients stop using a server for `seconds` after `failures` failures in a row. A minute is usual with windows of
 * minutes; the windows of the demo are seconds.
 */
export const COOLDOWN = { failures: 3, seconds: 3 } as const;

/** When the last cooldown that the incident started is over for certain; in ms since the start of a run. */
export const OUT_UNTIL_MS: number = INCIDENT.toMs + COOLDOWN.seconds * 1_000;

/** Requests of mean size that one server's limits allow per second. */
export function requestsPerSecond(server: ServerName): number {
  const rates = SERVERS[server].map(({ dimension, limit, windowMs }) => {
    const requests = dimension === "requests" ? limit : limit / LOAD.meanTokens;
    return (requests / windowMs) * 1_000;
  });
  return Math.min(...rates);
}

/** The load as a share of the limits that remain during the incident. */
export function shareWhileOneIsOut(): number {
  const total = totalRequestsPerSecond();
  return (LOAD.share * total) / (total - requestsPerSecond(INCIDENT.server));
}

/** True if the incident, or the cooldown after it, might keep its server away from a request that arrives then. */
export function mayBeOut(atMs: number): boolean {
  return atMs >= INCIDENT.fromMs && atMs < OUT_UNTIL_MS;
}

/** Requests of mean size that all limits together allow per second. */
export function totalRequestsPerSecond(): number {
  return SERVER_NAMES.reduce((sum, server) => sum + requestsPerSecond(server), 0);
}
