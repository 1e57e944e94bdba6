import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "./replay.ts";
import { totalOf } from "./report.ts";
import type { ServerProcess } from "./server-process.ts";
import type { Sample } from "./timeline.ts";

const { stdout } = process;
const CLEAR_LINE = "\r\x1b[K";
const SAMPLE_MS = 100;
// A terminal shows one line that is overwritten; a log file gets a line every five seconds.
const LINE_MS = stdout.isTTY ? 200 : 5_000;

/** Prints the progress of a run until `task` is done; returns samples of the whole run. */
export async function withProgress(
  client: string,
  servers: ServerProcess,
  outcome: Outcome,
  total: number,
  task: Promise<void>,
): Promise<readonly Sample[]> {
  const ended = new AbortController();
  const sampling = sample(client, servers, outcome, total, ended.signal);
  try {
    await task;
  } finally {
    ended.abort();
    await sampling;
  }
  return sampling;
}

async function sample(
  client: string,
  servers: ServerProcess,
  outcome: Outcome,
  total: number,
  ended: AbortSignal,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const startedAt = performance.now();
  let lineAt = LINE_MS;
  for (;;) {
    await sleep(SAMPLE_MS, undefined, { signal: ended }).catch(() => {});
    // The end of the run interrupts the pause and is printed once.
    const isLast = ended.aborted;
    const { served, refused, failed } = totalOf(await servers.counts());
    const atMs = performance.now() - startedAt;
    const inFlight = outcome.arrived - outcome.successes.length - outcome.failures;
    samples.push({ atMs, refused, unfinished: inFlight });
    if (!isLast && atMs < lineAt) continue;
    lineAt += LINE_MS;
    const seconds = (atMs / 1_000).toFixed(1).padStart(4);
    const line = `${client.padEnd(13)} ${seconds} s  ${outcome.arrived}/${total} arrived, ${served} served, ${inFlight} in flight, ${refused} 429s, ${failed} 5xx`;
    if (stdout.isTTY) stdout.write(`${CLEAR_LINE}${line}${isLast ? "\n" : ""}`);
    else stdout.write(`${line}\n`);
    if (isLast) return samples;
  }
}
