// Sends one seeded workload twice to four rate-limited HTTP servers, through grate-limiter and through a fair rival, and
// prints the counts of the servers. Exits with code 1 if grate-limiter got a 429 or served less than the rival.
//
//   npm run demo [-- --seed <whole number>] [--svg docs/demo.svg] [--readme README.md]
//
// `--svg` draws both runs over time; `--readme` replaces the text between the `demo` marks of that file.
import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { withProgress } from "./progress.ts";
import { type Client, replay } from "./replay.ts";
import { legend, type Run, readmeLine, setup, table, totalOf } from "./report.ts";
import { SERVER_NAMES } from "./scenario.ts";
import { send } from "./send.ts";
import type { UrlByServer } from "./server-messages.ts";
import { ServerProcess } from "./server-process.ts";
import { timelineSvg } from "./timeline.ts";
import { clientWithGrateLimiter } from "./with-grate-limiter.ts";
import { clientWithRoundRobin } from "./with-round-robin.ts";
import { type Arrival, workload } from "./workload.ts";

const CONNECTIONS_PER_SERVER = 50;
const README_MARKS = /(<!-- demo -->).*?(<!-- \/demo -->)/s;

type NewClient = (urls: UrlByServer) => Client;

async function main(): Promise<void> {
  const { seed, svg, readme } = optionsOf(process.argv.slice(2));
  const arrivals = workload(seed);
  const servers = await ServerProcess.launch();
  process.once("SIGINT", () => {
    servers.stop();
    process.stdout.write("\n");
    process.exit(130);
  });
  try {
    process.stdout.write(`${setup(arrivals, seed)}\n\n`);
    await warmUp(servers);
    const ours = await run("grate-limiter", clientWithGrateLimiter, servers, arrivals, seed);
    const rivals = await run("rival", clientWithRoundRobin, servers, arrivals, seed);
    process.stdout.write(`\n${table([ours, rivals])}\n`);
    process.stdout.write(`${legend()}\n`);
    if (svg !== undefined) await writeFile(svg, timelineSvg([ours, rivals].map(timelineOf)));
    if (readme !== undefined) await replaceLine(readme, readmeLine(ours, rivals, seed));
    judge(ours, rivals);
  } finally {
    servers.stop();
  }
}

/** Opens connections and lets both processes compile their code, so that the first burst measures only the limits. */
async function warmUp(servers: ServerProcess): Promise<void> {
  const first: Arrival = { id: 0, atMs: 0, tokens: 1 };
  const calls = SERVER_NAMES.flatMap((name) =>
    Array.from({ length: CONNECTIONS_PER_SERVER }, () => send(servers.urls[name], first)),
  );
  await Promise.all(calls);
}

async function run(
  client: string,
  newClient: NewClient,
  servers: ServerProcess,
  arrivals: readonly Arrival[],
  seed: number,
): Promise<Run> {
  const outcome = { arrived: 0, failures: 0, successes: [] };
  await servers.start(seed);
  const task = replay(arrivals, newClient(servers.urls), outcome);
  const samples = await withProgress(client, servers, outcome, arrivals.length, task);
  const counts = await servers.counts();
  const { served } = totalOf(counts);
  if (served !== outcome.successes.length) {
    throw new Error(`${client}: the servers served ${served}, the client got ${outcome.successes.length}`);
  }
  return { client, counts, outcome, samples };
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

function optionsOf(args: string[]): { seed: number; svg: string | undefined; readme: string | undefined } {
  const { values } = parseArgs({
    args,
    options: { seed: { type: "string", default: "1" }, svg: { type: "string" }, readme: { type: "string" } },
  });
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed: expected a whole number, got ${values.seed}`);
  return { seed, svg: values.svg, readme: values.readme };
}

await main();
