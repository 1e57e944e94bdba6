// Calls with random outcomes on a simulated clock. Prints what is left of them as one line of JSON.
// Arguments: the number of calls. Needs `--expose-gc`.
import { GrateLimiter, MockClock } from "grate-limiter";
import { seededRandom } from "../seeded-random.ts";

const CALLS = Number(process.argv[2]);
const BATCH = 100;

const random = seededRandom(1);
const clock = new MockClock();
const limiter = new GrateLimiter({
  clock,
  random,
  pools: { key: { limits: { tpm: 400_000 } } },
  providers: [
    { name: "a", limits: { rpm: 600, concurrency: 40 }, pools: ["key"] },
    { name: "b", limits: { tpm: 200_000, tpd: 1e8 }, pools: ["key"] },
    { name: "c", limits: { usdPerHour: 50 }, price: { usdPerMillionInputTokens: 3, usdPerMillionOutputTokens: 15 } },
    { name: "d", quotas: [{ dimension: "requests", limit: 300, window: "minute", strategy: "token_bucket" }] },
  ],
  capabilities: { chat: ["a", "b", "c", "d"], small: ["d", "a"] },
  leaseTimeoutMs: 30_000,
});
for (const event of ["leaseSettled", "refused", "failover"] as const) limiter.on(event, () => {});

/** A signal that lives as long as the program, and counts its listeners. */
const shared = new AbortController();
let listeners = 0;
const { signal } = shared;
const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
signal.addEventListener = ((...args: Parameters<typeof add>) => {
  listeners++;
  add(...args);
}) as typeof add;
signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
  listeners--;
  remove(...args);
}) as typeof remove;

const failure = (fields: object) => Object.assign(new Error("failed"), fields);

function outcome(): unknown {
  const kind = Math.floor(random() * 40);
  if (kind === 0) throw failure({ status: 429, headers: { "retry-after": "1" } });
  if (kind === 1) throw failure({ status: 500 });
  if (kind === 2) throw failure({ code: "ECONNRESET" });
  if (kind === 3) throw failure({ status: 400 });
  if (kind === 4) throw failure({});
  if (kind === 5) return { ok: false, status: 503 };
  if (kind === 6) return new Promise(() => {});
  return Promise.resolve(kind);
}

async function one(): Promise<void> {
  const capability = random() < 0.8 ? "chat" : "small";
  const own = random() < 0.1 ? new AbortController() : null;
  const needs = random() < 0.5 ? { inputTokens: Math.ceil(random() * 500) } : {};
  const call = limiter.run(
    capability,
    ({ lease }) => {
      if (random() < 0.5) lease.report({ inputTokens: 100, outputTokens: Math.floor(random() * 400) });
      return outcome();
    },
    { ...needs, maxWaitMs: 2_000, timeoutMs: 5_000, signal: own?.signal ?? signal, priority: Math.floor(random() * 3) },
  );
  if (own !== null) setImmediate(() => own.abort());
  await call.then(
    () => {},
    () => {},
  );
}

async function play(calls: number): Promise<void> {
  for (let made = 0; made < calls; made += BATCH) {
    const batch = Promise.all(Array.from({ length: BATCH }, one));
    let isOver = false;
    batch.then(() => {
      isOver = true;
    });
    for (let steps = 0; !isOver; steps++) {
      if (steps > 10_000) throw new Error("calls that never end");
      await clock.advanceMsAsync(500);
    }
    clock.advanceMs(Math.floor(random() * 5_000));
    if (random() < 0.05) {
      const lease = limiter.tryAcquire("chat");
      // A lease that nothing ends.
      if (lease.granted && random() < 0.5) lease.headersReceived();
    }
    if (random() < 0.01) limiter.updateProvider("a", { limits: { rpm: 300 + Math.floor(random() * 600) } });
  }
  // Places and windows of the last calls.
  await clock.advanceMsAsync(60_000);
}

function heap(): number {
  const { gc } = globalThis as unknown as { gc(): void };
  for (let i = 0; i < 4; i++) gc();
  return process.memoryUsage().heapUsed;
}

await play(CALLS / 5);
const before = heap();
await play((CALLS * 4) / 5);
const growth = heap() - before;
const { providers, waiting, oldestLeaseMs, metrics } = limiter.inspect();
const inFlight = providers.map((provider) => provider.inFlight);
console.log(JSON.stringify({ growth, inFlight, waiting, oldestLeaseMs, listeners, granted: metrics.leasesGranted }));
process.exit(0);
