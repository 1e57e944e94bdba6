// A fleet of child processes with a real Redis and a real provider that enforces its limits.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Enforced, EnforcingServer } from "./enforcing-server.ts";
import type { WorkerPlan } from "./worker.ts";

const FOLDER = new URL("./", import.meta.url);
const BUNDLE = fileURLToPath(new URL("node_modules/.cache/worker.mjs", FOLDER));

/** Counts of one process. */
export interface WorkerReport {
  readonly calls: number;
  readonly ended: number;
  readonly limited: number;
  readonly medianMs: number;
  readonly storeExchanges: number;
  readonly storeFailures: number;
  readonly errors: readonly (readonly [string, number])[];
}

/** Builds the program of the child processes, because starting many of them through a compiler takes too long. */
export async function buildWorker(): Promise<void> {
  const source = (path: string) => fileURLToPath(new URL(`../../../src/${path}`, FOLDER));
  await build({
    entryPoints: [fileURLToPath(new URL("worker.ts", FOLDER))],
    outfile: BUNDLE,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: ["ioredis"],
    alias: {
      "grate-limiter/store": source("store/index.ts"),
      "grate-limiter": source("index.ts"),
    },
    logLevel: "error",
  });
}

/** A process that runs. */
export class Worker {
  readonly child: ChildProcess;
  readonly name: string;
  readonly #ready: Promise<void>;

  constructor(plan: WorkerPlan) {
    this.name = plan.name;
    this.child = fork(BUNDLE, [JSON.stringify(plan)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      // The bundle needs no compiler.
      execArgv: [],
    });
    this.#ready = new Promise((resolve) => this.child.once("message", () => resolve()));
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  /** Lets the process end; null: it did not report or end by itself within 20 s. */
  stop(): Promise<WorkerReport | null> {
    return new Promise((resolve) => {
      let report: WorkerReport | null = null;
      const timer = setTimeout(() => {
        this.child.kill("SIGKILL");
        resolve(null);
      }, 20_000);
      this.child.once("message", (message) => {
        report = message as WorkerReport;
      });
      this.child.once("exit", () => {
        clearTimeout(timer);
        resolve(report);
      });
      this.child.send("stop");
    });
  }
}

/** Setting of one run. */
export interface FleetRun {
  readonly enforced: Enforced;
  readonly processes: number;
  readonly redisPort: number;
  readonly whenStoreIsDown?: "share" | "wait";
  readonly callers?: number;
  readonly pauseMs?: number;
  /** Time that is measured, after two seconds of start (ms). */
  readonly measuredMs: number;
  /** Happens while the fleet runs; it may kill workers, which are then to be removed from the list. */
  readonly during?: (workers: Worker[]) => Promise<void>;
}

export interface FleetResult {
  readonly served: number;
  readonly refused: number;
  /** Served requests divided by those that the limit allows in the measured time. */
  readonly utilisation: number;
  /** Jain's index of the served requests of the processes; 1: equal. */
  readonly jain: number;
  readonly exchangesPerRequest: number;
  readonly medianMs: number;
  readonly failures: number;
  /** Calls that never ended, and processes that did not end. */
  readonly stuck: number;
  readonly server: EnforcingServer;
}

const START_MS = 2_000;

export async function runFleet(run: FleetRun): Promise<FleetResult> {
  const { enforced, processes, redisPort, measuredMs } = run;
  const server = new EnforcingServer(enforced);
  const url = await server.start();
  const isPlaces = enforced.kind === "places";
  const workers = Array.from(
    { length: processes },
    (_, i) =>
      new Worker({
        name: `w${i}`,
        url,
        redisPort,
        limit: enforced.limit,
        windowMs: enforced.windowMs,
        isPlaces,
        whenStoreIsDown: run.whenStoreIsDown ?? "wait",
        callers: run.callers ?? Math.ceil(64 / processes),
        pauseMs: run.pauseMs ?? 0,
      }),
  );
  await Promise.all(workers.map((worker) => worker.ready()));
  await sleep(START_MS);
  const from = performance.now();
  const before = new Map(server.byProcess);
  await Promise.all([sleep(measuredMs), run.during?.(workers)]);
  const to = performance.now();
  const inTime = server.served.filter((at) => at >= from && at < to).length;
  const counts = workers.map(({ name }) => (server.byProcess.get(`/${name}`) ?? 0) - (before.get(`/${name}`) ?? 0));
  const reports = await Promise.all(workers.map((worker) => worker.stop()));
  server.stop();
  const known = reports.filter((report) => report !== null);
  const sum = (of: (report: WorkerReport) => number) => known.reduce((total, report) => total + of(report), 0);
  for (const [name, count] of known.flatMap(({ errors }) => errors))
    if (name !== "refused") console.log(`  ${count} x ${name}`);
  const rate = isPlaces ? enforced.limit / enforced.latencyMs : enforced.limit / enforced.windowMs;
  const total = counts.reduce((a, b) => a + b, 0);
  return {
    served: server.served.length,
    refused: server.refused.length,
    utilisation: inTime / (rate * (to - from)),
    jain: (total * total) / (counts.length * counts.reduce((a, b) => a + b * b, 0)),
    exchangesPerRequest: sum(({ storeExchanges }) => storeExchanges) / Math.max(1, server.served.length),
    medianMs: known.map(({ medianMs }) => medianMs).sort((a, b) => a - b)[Math.floor(known.length / 2)] ?? 0,
    failures: sum(({ storeFailures }) => storeFailures),
    stuck: sum(({ calls, ended }) => calls - ended) + (reports.length - known.length),
    server,
  };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
