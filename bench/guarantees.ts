// Measures the promises of the README and prints one line per number: `npm run bench:guarantees`. The random numbers are seeded,
// so another run prints the same numbers except for the times. `-- --seed N` takes other numbers for the reported limits.
import { GrateLimiter, MockClock } from "grate-limiter";
import { SlidingWindow } from "../src/quota/sliding-window.ts";
import { printReportedLimits } from "./reported-limits.ts";
import { seededRandom } from "./seeded-random.ts";

const MINUTE_MS = 60_000;
const LIMIT = 600;

/** A server that refuses requests over its limit. A sliding window is safe against all three kinds. */
interface Server {
  readonly name: string;
  admits(now: number): boolean;
}

function slidingLog(): Server {
  const admitted: number[] = [];
  return {
    name: "sliding log",
    admits(now) {
      while (admitted.length > 0 && admitted[0]! <= now - MINUTE_MS) admitted.shift();
      return admitted.length < LIMIT && admitted.push(now) > 0;
    },
  };
}

function fixedWindow(phaseMs: number): Server {
  let window = -1;
  let count = 0;
  return {
    name: `fixed window, phase ${phaseMs / 1_000} s`,
    admits(now) {
      const current = Math.floor((now + phaseMs) / MINUTE_MS);
      if (current !== window) {
        window = current;
        count = 0;
      }
      return count < LIMIT && ++count > 0;
    },
  };
}

function tokenBucket(): Server {
  let tokens = LIMIT;
  let at = 0;
  return {
    name: "token bucket of the same capacity",
    admits(now) {
      tokens = Math.min(LIMIT, tokens + ((now - at) * LIMIT) / MINUTE_MS);
      at = now;
      if (tokens < 1 - 1e-9) return false;
      tokens -= 1;
      return true;
    },
  };
}

/** Bursts at 1.5 times the limit for two hours: requests sent, requests refused, and the used share of the limit. */
function saturate(server: Server): string {
  const random = seededRandom(7);
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    providers: [{ name: "a", limits: { rpm: LIMIT } }],
    capabilities: { c: ["a"] },
  });
  const endMs = 120 * MINUTE_MS;
  let sent = 0;
  let refused = 0;
  while (clock.now() < endMs) {
    const burst = 1 + Math.floor(random() * 40);
    for (let i = 0; i < burst && limiter.select("c").waitMs === 0; i++) {
      sent++;
      const status = server.admits(clock.now()) ? 200 : 429;
      if (status === 429) refused++;
      limiter.observe({ provider: "a", outcome: { status } });
    }
    clock.advanceMs((-Math.log(1 - random()) * burst * MINUTE_MS) / (1.5 * LIMIT));
  }
  return `${server.name}: ${sent} sent, ${refused} refused, ${((sent * 100) / (LIMIT * 120)).toFixed(1)} % of limit x time used`;
}

/** Longest delay of a release as a share of the window, and the largest number of entries, for many random amounts. */
function lateness(): string {
  const random = seededRandom(11);
  const tracker = new SlidingWindow(1e9, MINUTE_MS);
  const instants: number[] = [];
  let now = 0;
  let entries = 0;
  let worst = 0;
  let oldest = 0;
  for (let i = 0; i < 200_000; i++) {
    now += random() < 0.01 ? random() * 500 : random() * 2;
    instants.push(now);
    tracker.record(1, now);
    entries = Math.max(entries, tracker.entries);
    while (instants.length - oldest > tracker.used(now)) oldest++;
    while (instants[oldest]! <= now - MINUTE_MS) {
      worst = Math.max(worst, now - MINUTE_MS - instants[oldest]!);
      oldest++;
    }
    oldest = instants.length - tracker.used(now);
  }
  return `released at most ${((worst * 100) / MINUTE_MS).toFixed(3)} % of the window late; at most ${entries} entries`;
}

/** Largest share of the quota score that pressure removes under a steady load, after the first window. */
function pressureAt(load: number): string {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    providers: [{ name: "a", limits: { rpm: LIMIT } }],
    capabilities: { c: ["a"] },
  });
  let worst = 0;
  for (let i = 0; i < LIMIT * 3; i++) {
    clock.advanceMs(MINUTE_MS / (LIMIT * load));
    limiter.observe({ provider: "a", outcome: { status: 200 } });
    const { reasoning } = limiter.select("c");
    const ratio = 1 - (LIMIT - limiter.remainingQuota("a", "requests")!) / LIMIT;
    if (i > LIMIT && ratio > 0) worst = Math.max(worst, 1 - reasoning.quotaScore / ratio);
  }
  return `pressure at a steady ${load * 100} %: at most ${worst.toFixed(3)}`;
}

/** Time of one select and one observe with `capability`, best of several rounds. */
function decisionNs(providers: number): string {
  const names = Array.from({ length: providers }, (_, i) => `p${i}`);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 7; round++) {
    const clock = new MockClock();
    const limiter = new GrateLimiter({
      clock,
      providers: names.map((name) => ({ name, limits: { rpm: 1e6, tpm: 1e9 } })),
      capabilities: { c: names },
    });
    const times = Math.ceil(200_000 / providers);
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      clock.advanceMs(1);
      const { provider } = limiter.select("c");
      limiter.observe({ provider, capability: "c", usage: { tokens: 100 }, outcome: { status: 200, latencyMs: 50 } });
    }
    best = Math.min(best, ((performance.now() - start) * 1e6) / times);
  }
  return `select + observe, ${providers} providers with two quotas: ${(best / 1_000).toFixed(2)} us`;
}

const servers = [slidingLog(), fixedWindow(0), fixedWindow(17_000), fixedWindow(43_500), tokenBucket()];
for (const server of servers) console.log(saturate(server));
console.log(lateness());
for (const load of [0.5, 0.8, 0.95]) console.log(pressureAt(load));
for (const providers of [2, 8, 100, 1_000]) console.log(decisionNs(providers));
const seedAt = process.argv.indexOf("--seed");
printReportedLimits(seedAt < 0 ? 1 : Number(process.argv[seedAt + 1]));
