import type { Outcome, Success } from "./replay.ts";
import {
  COOLDOWN,
  type EnforcedLimit,
  INCIDENT,
  LOAD,
  mayBeOut,
  OUT_UNTIL_MS,
  SERVER_NAMES,
  SERVERS,
  SERVICE,
  shareWhileOneIsOut,
  totalRequestsPerSecond,
} from "./scenario.ts";
import type { Counts, CountsByServer } from "./server-messages.ts";
import type { Sample } from "./timeline.ts";
import { type Arrival, peakPerSecond } from "./workload.ts";

/** One run of the workload: the counts of the servers, and the outcome that the client saw. */
export interface Run {
  readonly client: string;
  readonly counts: CountsByServer;
  readonly outcome: Outcome;
  readonly samples: readonly Sample[];
}

/** The answers of all servers together. */
export function totalOf(counts: CountsByServer): Counts {
  const total = { served: 0, refused: 0, failed: 0 };
  for (const { served, refused, failed } of Object.values(counts)) {
    total.served += served;
    total.refused += refused;
    total.failed += failed;
  }
  return total;
}

/** Limits, load and rules of the runs, as text. */
export function setup(arrivals: readonly Arrival[], seed: number, hasHeaders: boolean): string {
  const { answerMs, jitterMs, failureMs, refusalMs } = SERVICE;
  const servers = SERVER_NAMES.map((name) => {
    const limits = SERVERS[name].map(limitText).join(", ");
    const incident = name === INCIDENT.server ? `; ${incidentText()}` : "";
    return `${name.padEnd(8)} ${limits}${incident}`;
  });
  return section({
    Servers: [
      ...servers,
      `together ${totalRequestsPerSecond()} requests/s of ${LOAD.meanTokens} tokens; fixed windows start at a phase that no client knows`,
      hasHeaders
        ? "their responses state limit, rest and reset in x-ratelimit-* headers"
        : "their responses state no limits",
      `an answer takes ${answerMs} to ${answerMs + jitterMs} ms, an error ${failureMs} ms, a refusal ${refusalMs} ms`,
    ],
    Load: [
      `${arrivals.length} requests in ${LOAD.durationMs / 1_000} s: ${LOAD.share * 100} % of all limits together, in bursts of up to ${peakPerSecond(arrivals)} a second (seed ${seed})`,
      `a request waits up to ${LOAD.patienceMs / 1_000} s for capacity, then it is a failure`,
    ],
    Clients: [
      "grate-limiter run() for every request as it arrives, however many are in flight. It knows the limits, not how the servers",
      "              count them, and reads their headers. skewCapMs is Infinity, so that a pause of this machine causes no 429. After a cooldown",
      "              a server gets one trial request, then half and three quarters of its rate, each for a twelfth of its window",
      "rival         round-robin; after a 429 it tries the next server immediately, and Retry-After is a cooldown to the ms",
      "bottleneck    a limiter with a reservoir for each limit; the shortest queue gets a request; after a 429 it waits for Retry-After",
      "p-queue       intervalCap and interval (strict) for each server; likewise. It cannot count tokens",
      `all           after a 500 they try another server immediately; ${COOLDOWN.failures} failures in a row start a cooldown of ${COOLDOWN.seconds} s`,
    ],
  });
}

function section(parts: Readonly<Record<string, readonly string[]>>): string {
  const lines = Object.entries(parts).flatMap(([title, texts]) =>
    texts.map((text, line) => `${(line === 0 ? title : "").padEnd(9)}${text}`),
  );
  return lines.join("\n");
}

function limitText({ algorithm, dimension, limit, windowMs }: EnforcedLimit): string {
  return `${limit} ${dimension} per ${windowMs / 1_000} s (${algorithm})`;
}

function incidentText(): string {
  return `answers 500 from second ${INCIDENT.fromMs / 1_000} to ${INCIDENT.toMs / 1_000}`;
}

/** Explains the columns of the table, and why requests wait. */
export function legend(): string {
  const seconds = `second ${INCIDENT.fromMs / 1_000} to ${OUT_UNTIL_MS / 1_000}`;
  const share = Math.round(100 * shareWhileOneIsOut());
  return [
    "served, 429s, 5xx and shares as counted by the servers; latency from arrival to success",
    `one out: p95 of the requests that arrived from ${seconds} (the outage and the cooldown after it); all up: p95 of the others`,
    `waiting: while ${INCIDENT.server} is out, the load is ${share} % of the other limits, and bursts are above that`,
  ].join("\n");
}

type RunsBySeed = readonly (readonly Run[])[];

function medianP95(bySeed: RunsBySeed, client: number): string {
  const sorted = bySeed.map((runs) => percentile(runs[client]!.outcome.successes, 0.95)).sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2).toFixed(0);
}

function refusedIn(bySeed: RunsBySeed, client: number): number {
  return bySeed.reduce((sum, runs) => sum + totalOf(runs[client]!.counts).refused, 0);
}

/** Sentence about the gain of a user, from the runs of each seed in one order of clients, the own one first. */
export function gain(bySeed: RunsBySeed): string {
  const over = bySeed.length === 1 ? "" : ` (p95: median over ${bySeed.length} seeds)`;
  const others = bySeed[0]!.map(({ client }, index) => {
    return `${refusedIn(bySeed, index)} 429s and a p95 of ${medianP95(bySeed, index)} ms with ${client}`;
  });
  return `gain: ${others.join(", ")}${over}`;
}

/** Summary of all runs for the README. */
export function readmeLine(bySeed: RunsBySeed): string {
  const part = (client: number): string => {
    const served = bySeed.reduce((sum, runs) => sum + totalOf(runs[client]!.counts).served, 0);
    return `${served} requests served, ${refusedIn(bySeed, client)} 429s, p95 latency ${medianP95(bySeed, client)} ms`;
  };
  const names = bySeed[0]!.map(({ client }) => (client === "rival" ? "round-robin and retries" : client));
  const over = bySeed.length === 1 ? "" : `; the p95 is the median over ${bySeed.length} seeds`;
  return `${names.map((name, client) => `with ${name} ${part(client)}`).join("; ")}${over}`;
}

/** One row a run. */
export function table(runs: readonly Run[]): string {
  const header = [
    "",
    "served",
    "429s",
    "failures",
    "5xx",
    "p50 ms",
    "p95 ms",
    "all up",
    "one out",
    ...SERVER_NAMES.map((name) => `% ${name}`),
  ];
  return aligned([header, ...runs.map(row)]);
}

function row({ client, counts, outcome }: Run): string[] {
  const { served, refused, failed } = totalOf(counts);
  const { successes } = outcome;
  const allUp = successes.filter(({ atMs }) => !mayBeOut(atMs));
  const oneOut = successes.filter(({ atMs }) => mayBeOut(atMs));
  const shares = SERVER_NAMES.map((name) => ((100 * counts[name].served) / served).toFixed(1));
  const latencies = [
    percentile(successes, 0.5),
    ...[successes, allUp, oneOut].map((arrived) => percentile(arrived, 0.95)),
  ];
  const cells = [served, refused, outcome.failures, failed, ...latencies];
  return [client, ...cells.map((cell) => cell.toFixed(0)), ...shares];
}

/** The smallest latency that is not below that share of all. */
function percentile(successes: readonly Success[], share: number): number {
  const sorted = successes.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The first column to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  const lines = rows.map((cells) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  "),
  );
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}
