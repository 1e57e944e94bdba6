// One process of a fleet: it sends as many requests as the limiter lets it, and reports its counts to its parent.
import { GrateLimiter, NoAvailableProviders } from "../../../src/index.ts";
import { redisStore } from "../../../src/redis/index.ts";

/** What the parent passes in the first argument, as JSON. */
export interface WorkerPlan {
  readonly name: string;
  readonly url: string;
  readonly redisPort: number;
  readonly limit: number;
  readonly windowMs: number;
  readonly isPlaces: boolean;
  readonly whenStoreIsDown: "share" | "wait";
  readonly callers: number;
  /** Pause of each caller between two requests (ms). */
  readonly pauseMs: number;
}

const plan = JSON.parse(process.argv[2]!) as WorkerPlan;
const { Redis } = await import("ioredis" as string);
const client = new Redis(plan.redisPort, "127.0.0.1", { maxRetriesPerRequest: null, retryStrategy: () => 100 });
client.on("error", () => {});

const quota = plan.isPlaces
  ? ({ dimension: "concurrency", limit: plan.limit } as const)
  : ({ dimension: "requests", limit: plan.limit, window: { seconds: plan.windowMs / 1_000 } } as const);
const limiter = new GrateLimiter({
  providers: [{ name: "a", quotas: [quota] }],
  capabilities: { chat: ["a"] },
  store: redisStore(client),
  whenStoreIsDown: plan.whenStoreIsDown,
  // A busy machine delays requests for any time.
  skewCapMs: Infinity,
});

let isStopped = false;
let calls = 0;
let limited = 0;
let ended = 0;
const waits: number[] = [];
const errors = new Map<string, number>();

async function caller(): Promise<void> {
  while (!isStopped) {
    const since = performance.now();
    calls++;
    try {
      const lease = await limiter.acquire("chat", { maxWaitMs: 4_000 });
      waits.push(performance.now() - since);
      const response = await fetch(`${plan.url}/${plan.name}`);
      lease.headersReceived();
      await response.text();
      if (response.status === 429) limited++;
      // A refusal is reported as a success, so that it does not stop the process: its number is what is measured.
      lease.settle("success");
    } catch (error) {
      const name = NoAvailableProviders.is(error) ? "refused" : String(error);
      errors.set(name, (errors.get(name) ?? 0) + 1);
    }
    ended++;
    if (plan.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, plan.pauseMs * 2 * Math.random()));
  }
}

const callers = Array.from({ length: plan.callers }, caller);
process.on("message", async () => {
  isStopped = true;
  await Promise.all(callers);
  const { storeExchanges, storeFailures } = limiter.metrics;
  await limiter.close();
  waits.sort((a, b) => a - b);
  const medianMs = waits[Math.floor(waits.length / 2)] ?? 0;
  process.send!({ calls, ended, limited, medianMs, storeExchanges, storeFailures, errors: [...errors] }, () => {
    client.disconnect();
    process.disconnect();
  });
});
process.send!("ready");
