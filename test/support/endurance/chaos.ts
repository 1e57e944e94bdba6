// 300 callers on the real clock, with random aborts, failures and changes of the configuration, and with listeners and a
// strategy that call the limiter. Prints what is wrong at the end of each seed as one line of JSON.
// Arguments: the first seed, and the number of seeds.
import { GrateLimiter, GrateLimiterError, type ProviderScoreContext, WeightedScorer } from "grate-limiter";
import { seededRandom } from "../seeded-random.ts";

const [FIRST, SEEDS] = process.argv.slice(2).map(Number) as [number, number];
const CALLERS = 300;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const problems: string[] = [];
process.on("unhandledRejection", (error) => problems.push(`unhandled rejection: ${String(error)}`));
process.on("uncaughtException", (error) => problems.push(`uncaught: ${error.stack}`));

/** Longest turn of the event loop (ms). */
let longestTurnMs = 0;
let isWatching = true;
function watchTurns(): void {
  let since = performance.now();
  const turn = () => {
    const now = performance.now();
    longestTurnMs = Math.max(longestTurnMs, now - since);
    since = now;
    if (isWatching) setImmediate(turn);
  };
  setImmediate(turn);
}

class Expected extends Error {}

async function play(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const chance = (share: number) => random() < share;
  const built = new WeightedScorer();
  let depth = 0;
  const limiter: GrateLimiter = new GrateLimiter({
    random,
    providers: ["a", "b", "c", "d"].map((name, i) => ({
      name,
      limits: { rps: 40 + 10 * i, concurrency: 20, tpm: 1e6 },
    })),
    capabilities: { chat: ["a", "b", "c", "d"], few: ["b", "c"] },
    leaseTimeoutMs: 300,
    scoring: {
      score(context: ProviderScoreContext) {
        if (depth === 0 && chance(0.02)) {
          depth++;
          try {
            limiter.select("few");
          } catch {}
          depth--;
        }
        if (chance(0.001)) throw new Expected("strategy");
        return built.score(context);
      },
    },
  });
  limiter.on("leaseGranted", () => {
    if (chance(0.05)) limiter.select("chat");
    if (chance(0.02)) throw new Expected("listener");
  });
  limiter.on("leaseSettled", ({ lease }) => {
    lease.settle();
    if (chance(0.02)) {
      const more = limiter.tryAcquire("few");
      if (more.granted) more.release();
    }
  });

  const isExpected = (error: unknown) =>
    error instanceof Expected ||
    (error as Error).name === "TimeoutError" ||
    (GrateLimiterError.is(error) && error.code !== "invalid_config");
  const noteError = (error: unknown) => {
    if (!isExpected(error)) problems.push(`seed ${seed}: ${String((error as Error)?.stack ?? error)}`);
  };
  const failures = [
    () => Object.assign(new Expected("429"), { status: 429, headers: { "retry-after-ms": "20" } }),
    () => Object.assign(new Expected("503"), { status: 503 }),
    () => Object.assign(new Expected("reset"), { code: "ECONNRESET" }),
    () => Object.assign(new Expected("400"), { status: 400 }),
    () => new Expected("bug"),
  ];
  const work = async () => {
    if (chance(0.7)) await sleep(random() * 10);
    if (chance(0.2)) throw failures[Math.floor(random() * failures.length)]!();
    if (chance(0.02)) await sleep(200);
    return 1;
  };
  async function* chunks() {
    for (let i = 0; i < 4; i++) {
      await work();
      yield i;
    }
  }
  const caller = async () => {
    await sleep(random() * 500);
    for (let i = 0; i < 3; i++) {
      const controller = new AbortController();
      if (chance(0.2)) setTimeout(() => controller.abort(new Expected("abort")), random() * 60);
      const options = {
        signal: controller.signal,
        maxWaitMs: random() * 300,
        timeoutMs: 400,
        priority: Math.floor(random() * 3),
        ...(chance(0.5) && { tokens: Math.floor(random() * 2_000) }),
        ...(chance(0.2) && { attemptTimeoutMs: 20 }),
      };
      const capability = chance(0.8) ? "chat" : "few";
      try {
        const kind = random();
        if (kind < 0.5) await limiter.run(capability, work, options);
        else if (kind < 0.7) {
          const { value } = await limiter.stream(capability, chunks, options);
          for await (const chunk of value) if (chunk === 2 && chance(0.5)) break;
        } else if (kind < 0.8) {
          for await (const _ of limiter.map(capability, [1, 2, 3, 4], work, options)) if (chance(0.1)) break;
        } else {
          const { signal, maxWaitMs, priority } = options;
          const lease = await limiter.acquire(capability, { signal, maxWaitMs, priority });
          if (chance(0.9)) lease.settle({ status: chance(0.5) ? 200 : 500, usage: { tokens: random() * 1e4 } });
        }
      } catch (error) {
        noteError(error);
      }
    }
  };
  const change = async () => {
    for (let i = 0; i < 30; i++) {
      await sleep(random() * 20);
      const name = "abcd"[Math.floor(random() * 4)]!;
      const kind = random();
      if (kind < 0.4) limiter.updateProvider("a", { limits: { rps: 10 + Math.floor(random() * 90) } });
      else if (kind < 0.5) limiter.updateProvider("a", { paused: chance(0.5) });
      else if (kind < 0.7) limiter.upsertProvider({ name, limits: { rps: 50, concurrency: 10 } });
      else if (kind < 0.8 && name !== "a") limiter.removeProvider(name);
      else if (kind < 0.9) limiter.upsertCapability({ name: "few", providers: chance(0.5) ? ["b", "c"] : ["c", "d"] });
      else
        limiter.observe({
          provider: "a",
          usage: { tokens: 1e3 * random() },
          outcome: { status: chance(0.8) ? 200 : 503 },
        });
    }
    limiter.updateProvider("a", { paused: false });
  };
  let pending = CALLERS;
  const callers = Array.from({ length: CALLERS }, () => caller().finally(() => pending--));
  await Promise.race([Promise.all([...callers, change()]), sleep(20_000)]);
  if (pending > 0) problems.push(`seed ${seed}: ${pending} callers never end`);
  // The last leases expire, and their places become free.
  await sleep(1_400);
  const inspection = limiter.inspect();
  if (inspection.oldestLeaseMs !== null) problems.push(`seed ${seed}: a lease is left`);
  if (Object.keys(inspection.waiting).length > 0) problems.push(`seed ${seed}: a waiter is left`);
  for (const { name, inFlight } of inspection.providers) {
    if (inFlight !== 0) problems.push(`seed ${seed}: ${inFlight} requests of ${name} are in flight`);
  }
  JSON.stringify(inspection, (key, value: unknown) => {
    if (typeof value === "number" && !(value >= 0)) problems.push(`seed ${seed}: ${key} is ${value}`);
    return value;
  });
}

watchTurns();
/** Longest turn of each seed. */
const turnsMs: number[] = [];
for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
  longestTurnMs = 0;
  await play(seed);
  turnsMs.push(longestTurnMs);
}
isWatching = false;
console.log(JSON.stringify({ problems: problems.slice(0, 20), turnsMs }));
process.exit(0);
