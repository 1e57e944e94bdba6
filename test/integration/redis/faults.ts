// Fleets of real processes with a real Redis and a provider that enforces its limits, with faults. `npm run test:redis`; with
// "--full" also scenarios that CI has no time for, and with a text those whose title has it.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RawClient } from "../../support/redis/raw-client.ts";
import { freePort, type RedisServer, serverProgram, startServer } from "../../support/redis/redis-server.ts";
import type { Enforced } from "./enforcing-server.ts";
import { buildWorker, type FleetResult, type FleetRun, runFleet, sleep } from "./fleet-run.ts";

const program = serverProgram("redis-server") ?? serverProgram("valkey-server");
if (program === null) {
  console.error("SKIPPED: redis-server is not installed, so no fleet was tested");
  process.exit(0);
}
const redis = program;
const isFull = process.argv.includes("--full");
const only = process.argv.slice(2).find((text) => !text.startsWith("--"));
const TTL_MS = 10_000;
const WINDOW: Enforced = { kind: "window", limit: 400, windowMs: 2_000, latencyMs: 5 };
const PLACES: Enforced = { kind: "places", limit: 10, windowMs: 0, latencyMs: 200 };
const failures: string[] = [];
const rows: Record<string, string | number>[] = [];
let server: RedisServer;

interface Bounds {
  readonly jain?: number;
}

async function scenario(
  title: string,
  run: Omit<FleetRun, "redisPort">,
  bounds: Bounds = {},
): Promise<FleetResult | null> {
  if (only !== undefined && !title.includes(only)) return null;
  const result = await runFleet({ ...run, redisPort: server.port });
  const { served, refused, utilisation, jain, exchangesPerRequest, medianMs, stuck } = result;
  const row = {
    scenario: title,
    served,
    "429s": refused,
    utilisation: `${(utilisation * 100).toFixed(1)} %`,
    jain: jain.toFixed(2),
    "exchanges/request": exchangesPerRequest.toFixed(2),
    "median ms": medianMs.toFixed(2),
    stuck,
  };
  rows.push(row);
  console.log(JSON.stringify(row));
  const expected = (isMet: boolean, text: string) => {
    if (!isMet) failures.push(`${title}: ${text}`);
  };
  expected(refused === 0, `expected no 429s, got ${refused}`);
  expected(stuck === 0, `expected that every call and every process ends, got ${stuck} that did not`);
  expected(jain >= (bounds.jain ?? 0), `expected Jain's index of ${bounds.jain}, got ${jain}`);
  return result;
}

/** Runs commands on a connection of its own. */
async function commands(...list: readonly (readonly string[])[]): Promise<void> {
  const raw = new RawClient(server.port);
  for (const command of list) await raw.send(command).catch(() => {});
  raw.close();
}

await buildWorker();
const port = await freePort();
const folder = mkdtempSync(join(tmpdir(), "grate-fleet-"));
const start = async (args: readonly string[] = []) => {
  server = await startServer(redis, args, port, folder);
};
await start();

// The use of the limits is tested in simulated time (test/property/fleet-efficiency.test.ts): here it is that of the machine.
if (isFull) {
  await scenario("window, 1 process", { enforced: WINDOW, processes: 1, measuredMs: 6_000 });
  await scenario("bucket, 4 processes", { enforced: { ...WINDOW, kind: "bucket" }, processes: 4, measuredMs: 6_000 });
  await scenario("fixed windows, 4 processes", {
    enforced: { ...WINDOW, kind: "fixed" },
    processes: 4,
    measuredMs: 6_000,
  });
  await scenario("places, 4 processes", { enforced: PLACES, processes: 4, measuredMs: 6_000 });
  await scenario("window, 16 processes", { enforced: WINDOW, processes: 16, measuredMs: 6_000 }, { jain: 0.9 });
  await scenario("limit below the fleet, 16 processes", {
    enforced: { ...WINDOW, limit: 10 },
    processes: 16,
    callers: 2,
    measuredMs: 8_000,
  });
  await scenario("places, 16 processes", { enforced: PLACES, processes: 16, measuredMs: 6_000 }, { jain: 0.9 });
  await scenario("SIGSTOP of a process for longer than its TTL", {
    enforced: WINDOW,
    processes: 4,
    measuredMs: 15_000,
    during: async ([worker]) => {
      await sleep(500);
      worker!.child.kill("SIGSTOP");
      await sleep(12_000);
      worker!.child.kill("SIGCONT");
    },
  });
}
await scenario("window, 4 processes", { enforced: WINDOW, processes: 4, measuredMs: 6_000 });
await scenario("60 % load, 4 processes", {
  enforced: WINDOW,
  processes: 4,
  callers: 10,
  pauseMs: 320,
  measuredMs: 5_000,
});

let killedAt = 0;
const killed = await scenario("kill -9 of 2 of 4 processes", {
  enforced: PLACES,
  processes: 4,
  measuredMs: 15_000,
  during: async (workers) => {
    await sleep(500);
    for (const worker of workers.splice(0, 2)) worker.child.kill("SIGKILL");
    killedAt = performance.now();
  },
});
if (killed !== null) {
  const during = (from: number, to: number) =>
    killed.server.served.filter((at) => at >= from && at < to).length / (to - from);
  const before = during(killedAt - 2_000, killedAt);
  const after = during(killedAt + TTL_MS + 1_500, killedAt + TTL_MS + 3_500);
  console.log(`  ${(before * 1_000).toFixed(1)} requests/s before, ${(after * 1_000).toFixed(1)} from TTL + 1.5 s on`);
  if (after < before * 0.8) failures.push("kill -9: the places of dead processes are not in use again");
}
for (const whenStoreIsDown of ["wait", "share"] as const) {
  if (whenStoreIsDown === "share" && !isFull) continue;
  if (isFull) {
    await scenario(`Redis frozen for 5 s, ${whenStoreIsDown}`, {
      enforced: WINDOW,
      processes: 4,
      whenStoreIsDown,
      measuredMs: 11_000,
      during: async () => {
        await sleep(1_000);
        process.kill(server.pid, "SIGSTOP");
        await sleep(5_000);
        process.kill(server.pid, "SIGCONT");
      },
    });
  }
  await scenario(`Redis killed, back empty after 2 s, ${whenStoreIsDown}`, {
    enforced: WINDOW,
    processes: 4,
    whenStoreIsDown,
    measuredMs: 10_000,
    during: async () => {
      await sleep(1_000);
      await server.stop();
      await sleep(2_000);
      await start();
    },
  });
}
await scenario("FLUSHALL, SCRIPT FLUSH and CLIENT KILL", {
  enforced: WINDOW,
  processes: 4,
  measuredMs: 8_000,
  during: async () => {
    for (const command of [["FLUSHALL"], ["SCRIPT", "FLUSH"], ["CLIENT", "KILL", "TYPE", "normal"]]) {
      await sleep(1_500);
      await commands(command);
    }
  },
});
await server!.stop();
console.table(rows);
if (failures.length > 0) {
  console.error(failures.join("\n"));
  process.exitCode = 1;
}
