// Sends one seeded workload to four rate-limited HTTP servers through grate-limiter, through a fair rival, and through two
// packages that queue requests, and prints the counts of the servers. Exits with code 1 if grate-limiter got a 429 or served less than the rival.
//
//   npm run demo [-- --seed <whole number>] [--seeds <number>] [--no-headers] [--svg docs/demo.svg] [--readme README.md]
//     [--monitor]
//
// `--seeds` runs that many seeds from `--seed` on. `--no-headers`: the servers state no
// limits. `--svg` draws the first two runs over time; `--readme` replaces the text between the `demo` marks of that file. `--monitor`
// prints the address of the live monitor, begins when a page has opened it, and ends with Ctrl-C.
import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { DemoMonitor } from "./monitor.ts";
import { withProgress } from "./progress.ts";
import { type Client, replay } from "./replay.ts";
import { gain, legend, type Run, readmeLine, setup, table, totalOf } from "./report.ts";
import { SERVER_NAMES } from "./scenario.ts";
import { send } from "./send.ts";
import type { UrlByServer } from "./server-messages.ts";
import { ServerProcess } from "./server-process.ts";
import { timelineSvg } from "./timeline.ts";
import { clientWithGrateLimiter } from "./with-grate-limiter.ts";
import { clientWithBottleneck, clientWithPQueue } from "./with-queues.ts";
import { clientWithRoundRobin } from "./with-round-robin.ts";
import { type Arrival, workload } from "./workload.ts";

const CONNECTIONS_PER_SERVER = 50;
const README_MARKS = /(<!-- demo -->).*?(<!-- \/demo -->)/s;

/** The other clients by their names in the table. grate-limiter is judged against the first one. */
const RIVALS: readonly (readonly [name: string, newClient: (urls: UrlByServer) => Client])[] = [
  ["rival", clientWithRoundRobin],
  ["bottleneck", clientWithBottleneck],
  ["p-queue", clientWithPQueue],
];

async function main(): Promise<void> {
  const { seed, seeds, hasHeaders, svg, readme, hasMonitor } = optionsOf(process.argv.slice(2));
  const monitor = hasMonitor ? await openMonitor() : undefined;
  const servers = await ServerProcess.launch();
  process.once("SIGINT", () => {
    servers.stop();
    process.stdout.write("\n");
    process.exit(130);
  });
  const bySeed: (readonly Run[])[] = [];
  try {
    for (let each = seed; each < seed + seeds; each++) {
      const arrivals = workload(each);
      process.stdout.write(`${each === seed ? setup(arrivals, each, hasHeaders) : `\nSeed ${each}`}\n\n`);
      await warmUp(servers);
      const order = { servers, arrivals, seed: each, hasHeaders };
      const runs: Run[] = [];
      const ours = clientWithGrateLimiter(servers.urls, (limiter) => monitor?.watch(limiter));
      await monitor?.opened;
      runs.push(await run("grate-limiter", ours, order));
      for (const [name, newClient] of RIVALS) runs.push(await run(name, newClient(servers.urls), order));
      bySeed.push(runs);
      process.stdout.write(`\n${table(runs)}\n`);
      judge(runs[0]!, runs[1]!);
    }
    process.stdout.write(`${legend()}\n${gain(bySeed)}\n`);
    if (svg !== undefined) await writeFile(svg, timelineSvg(bySeed[0]!.slice(0, 2).map(timelineOf)));
    if (readme !== undefined) await replaceLine(readme, readmeLine(bySeed));
    if (monitor !== undefined) await untilInterrupted();
  } finally {
    servers.stop();
  }
}

/** Starts the monitor. Its page is built first, so that the demo works without `npm run build`. */
async function openMonitor(): Promise<DemoMonitor> {
  const { writeMonitorPage } = await import("../scripts/monitor-page.ts");
  writeMonitorPage();
  const { DemoMonitor } = await import("./monitor.ts");
  const monitor = await DemoMonitor.open();
  process.stdout.write(`The demo begins when you open ${monitor.address}\n\n`);
  return monitor;
}

async function untilInterrupted(): Promise<void> {
  process.stdout.write("\nThe monitor stays open until Ctrl-C.\n");
  await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));
}

/** Opens connections and lets both processes compile their code, so that the first burst measures only the limits. */
async function warmUp(servers: ServerProcess): Promise<void> {
  const first: Arrival = { id: 0, atMs: 0, tokens: 1 };
  const calls = SERVER_NAMES.flatMap((name) =>
    Array.from({ length: CONNECTIONS_PER_SERVER }, () => send(servers.urls[name], first)),
  );
  await Promise.all(calls);
}

interface RunOrder {
  readonly servers: ServerProcess;
  readonly arrivals: readonly Arrival[];
  readonly seed: number;
  readonly hasHeaders: boolean;
}

async function run(name: string, client: Client, order: RunOrder): Promise<Run> {
  const { servers, arrivals, seed, hasHeaders } = order;
  const outcome = { arrived: 0, failures: 0, successes: [] };
  await servers.start(seed, hasHeaders);
  const task = replay(arrivals, client, outcome);
  const samples = await withProgress(name, servers, outcome, arrivals.length, task);
  const counts = await servers.counts();
  const { served } = totalOf(counts);
  if (served !== outcome.successes.length) {
    throw new Error(`${name}: the servers served ${served}, the client got ${outcome.successes.length}`);
  }
  return { client: name, counts, outcome, samples };
}

function judge(ours: Run, rivals: Run): void {
  const { served, refused } = totalOf(ours.counts);
  const verdicts: string[] = [];
  if (refused > 0) verdicts.push(`grate-limiter got ${refused} 429s, expected none`);
  if (served < totalOf(rivals.counts).served) verdicts.push("grate-limiter served less than the rival");
  for (const verdict of verdicts) process.stderr.write(`FAILED: ${verdict}\n`);
  if (verdicts.length > 0) process.exitCode = 1;
}

function timelineOf({ client, samples }: Run): { label: string; samples: Run["samples"] } {
  return { label: client === "rival" ? "round-robin with retries" : client, samples };
}

async function replaceLine(path: string, line: string): Promise<void> {
  const text = await readFile(path, "utf8");
  if (!README_MARKS.test(text)) throw new Error(`${path}: expected <!-- demo --> and <!-- /demo -->`);
  await writeFile(path, text.replace(README_MARKS, `$1${line}$2`));
}

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly hasHeaders: boolean;
  readonly svg: string | undefined;
  readonly readme: string | undefined;
  readonly hasMonitor: boolean;
}

function optionsOf(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: "1" },
      "no-headers": { type: "boolean", default: false },
      svg: { type: "string" },
      readme: { type: "string" },
      monitor: { type: "boolean", default: false },
    },
  });
  const { svg, readme, monitor: hasMonitor } = values;
  const whole = (name: "seed" | "seeds", least: number) => {
    const number = Number(values[name]);
    if (Number.isSafeInteger(number) && number >= least) return number;
    throw new Error(`--${name}: expected a whole number >= ${least}, got ${values[name]}`);
  };
  const seed = whole("seed", Number.MIN_SAFE_INTEGER);
  return { seed, seeds: whole("seeds", 1), hasHeaders: !values["no-headers"], svg, readme, hasMonitor };
}

await main();
