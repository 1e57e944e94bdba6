import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "./replay.ts";
import { totalOf } from "./report.ts";
import type { ServerProcess } from "./server-process.ts";

const { stdout } = process;
const CLEAR_LINE = "\r\x1b[K";

/** Tells how a run goes until `task` is done: one line that is written over on a terminal, else a line every 5 s. */
export async function withProgress(
  client: string,
  servers: ServerProcess,
  outcome: Outcome,
  total: number,
  task: Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const telling = tell(client, servers, outcome, total, ended.signal);
  try {
    await task;
  } finally {
    ended.abort();
    await telling;
  }
}

async function tell(
  client: string,
  servers: ServerProcess,
  outcome: Outcome,
  total: number,
  ended: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    await sleep(stdout.isTTY ? 200 : 5_000, undefined, { signal: ended }).catch(() => {});
    // The end of the run interrupts the pause, and is told once.
    const isLast = ended.aborted;
    const { served, refused, failed } = totalOf(await servers.counts());
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(4);
    const underWay = outcome.arrived - outcome.successes.length - outcome.failures;
    const line = `${client.padEnd(13)} ${seconds} s  ${outcome.arrived}/${total} arrived, ${served} served, ${underWay} under way, ${refused} 429s, ${failed} 5xx`;
    if (stdout.isTTY) stdout.write(`${CLEAR_LINE}${line}${isLast ? "\n" : ""}`);
    else stdout.write(`${line}\n`);
    if (isLast) return;
  }
}
