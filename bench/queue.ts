// Processor time of waiting calls at several lengths of the queue, and the growth with the length.
//
//   npm run bench:queue [-- --short]       --short: without 20,000 waiters
//
// All calls wait for places that hold for no time: 8 providers, one place each. "refusing providers": one `run` whose providers
// all answer 503. Exits with code 1 if a slope of log time against log n is above 1.3, or 20,000 waiters take more than 15 s: the
// bars are 1.15 and 4 s on a quiet machine.
import { performance } from "node:perf_hooks";
import { GrateLimiter, MockClock } from "grate-limiter";

type Options = NonNullable<Parameters<GrateLimiter["acquire"]>[1]>;

const NAMES = Array.from({ length: 8 }, (_, index) => `p${index}`);
const SIZES = process.argv.includes("--short") ? [300, 1_200, 4_800] : [300, 1_200, 4_800, 20_000];
const LIMIT_SLOPE = 1.3;
const LIMIT_MS = 15_000;

const SERIES: { readonly [name: string]: (index: number) => Options } = {
  "equal calls": () => ({}),
  "distinct priorities": (index) => ({ priority: (index * 7_919) % 65_537 }),
  "distinct demands": (index) => ({ tokens: 1 + index }),
  "distinct fairness keys": (index) => ({ fairnessKey: `key ${index}` }),
  "distinct deadlines": (index) => ({ maxWaitMs: 1e9 + index }),
  "100 exclude sets": (index) => ({ exclude: NAMES.filter((_, bit) => (((index % 100) + 1) >> bit) & 1) }),
};

async function waiters(n: number, optionsOf: (index: number) => Options): Promise<number> {
  const limiter = new GrateLimiter({
    clock: new MockClock(),
    maxWaiting: 1e6,
    providers: NAMES.map((name) => ({ name, limits: { concurrency: 1, tpm: 1e12 } })),
    capabilities: { chat: NAMES },
  });
  const held = await Promise.all(NAMES.map((name) => limiter.acquire("chat", { only: [name] })));
  const before = process.cpuUsage();
  let served = 0;
  for (let index = 0; index < n; index++) {
    limiter.acquire("chat", { maxWaitMs: Number.POSITIVE_INFINITY, ...optionsOf(index) }).then((lease) => {
      served++;
      setImmediate(() => lease.settle({ status: "success", latencyMs: 5 }));
    });
  }
  for (const lease of held) lease.settle({ status: "success", latencyMs: 5 });
  while (served < n) await new Promise((resolve) => setImmediate(resolve));
  return usedMs(before);
}

async function refusingProviders(n: number): Promise<number> {
  const names = Array.from({ length: n }, (_, index) => `p${index}`);
  const limiter = new GrateLimiter({
    clock: new MockClock(),
    providers: names.map((name) => ({ name })),
    capabilities: { chat: names },
  });
  const before = process.cpuUsage();
  let attempts = 0;
  const task = () => {
    attempts++;
    throw Object.assign(new Error("busy"), { status: 503 });
  };
  await limiter.run("chat", task, { maxAttempts: n, maxWaitMs: 0 }).catch(() => {});
  if (attempts !== n) throw new Error(`${attempts} attempts of ${n}`);
  return usedMs(before);
}

function usedMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** Slope of the least squares line through (log n, log time). */
function slopeOf(sizes: readonly number[], times: readonly number[]): number {
  const xs = sizes.map(Math.log);
  const ys = times.map(Math.log);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x0, y0] = [mean(xs), mean(ys)];
  const product = xs.reduce((sum, x, index) => sum + (x - x0) * (ys[index]! - y0), 0);
  return product / xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
}

async function report(name: string, sizes: readonly number[], measure: (n: number) => Promise<number>): Promise<void> {
  await measure(sizes[0]!); // compiles the code
  const times: number[] = [];
  for (const n of sizes) times.push(await measure(n));
  const slope = slopeOf(sizes, times);
  const cells = sizes.map((n, index) => `${n.toLocaleString("en")}: ${times[index]!.toFixed(0)} ms`);
  console.log(`${name.padEnd(24)} ${cells.join(", ").padEnd(64)} slope ${slope.toFixed(2)}`);
  if (slope > LIMIT_SLOPE || times.at(-1)! > LIMIT_MS) process.exitCode = 1;
}

const since = performance.now();
for (const [name, optionsOf] of Object.entries(SERIES)) await report(name, SIZES, (n) => waiters(n, optionsOf));
await report("refusing providers", [125, 500, 2_000], refusingProviders);
console.log(`${((performance.now() - since) / 1_000).toFixed(0)} s in all`);
