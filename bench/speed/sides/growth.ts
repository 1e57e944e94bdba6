// How time and memory grow, and the share of garbage collection: `growth time`, `growth memory`, `growth collecting`. One setup
// is one point.
import { PerformanceObserver } from "node:perf_hooks";
import { GrateLimiter, MockClock, type QuotaConfig } from "grate-limiter";
import { answerLines, type Operations } from "./answer-lines.ts";

/** One point of a series. A missing field has its default. */
export interface TimeSetup {
  /** Number of providers; default 8. */
  readonly providers?: number;
  /** Quotas of each provider; default 2. */
  readonly quotas?: number;
  /** Capabilities with all providers; default 1. */
  readonly capabilities?: number;
  /** Requests in the window when it starts, evenly spaced; default one for each provider. */
  readonly events?: number;
}

const DIMENSIONS = ["requests", "tokens"] as const;
const WINDOWS = ["minute", "hour", "day", { seconds: 90 }] as const;

function limiterOf(providers: number, quotas: number, capabilities: number): [GrateLimiter<string>, MockClock] {
  const names = Array.from({ length: providers }, (_, i) => `p${i}`);
  const clock = new MockClock();
  const declared = Array.from({ length: quotas }, (_, i): QuotaConfig => {
    return { dimension: DIMENSIONS[i % 2]!, limit: 1e12, window: WINDOWS[i >> 1]! };
  });
  const limiter = new GrateLimiter<string>({
    clock,
    providers: names.map((name) => ({ name, quotas: declared })),
    capabilities: Object.fromEntries(Array.from({ length: capabilities }, (_, i) => [`c${i}`, names])),
  });
  return [limiter, clock];
}

function time(setup: TimeSetup): Operations {
  const { providers = 8, quotas = 2, capabilities = 1, events = providers } = setup;
  const [limiter, clock] = limiterOf(providers, quotas, capabilities);
  const stepMs = 50_000 / events;
  for (let i = 0; i < events; i++) {
    clock.advanceMs(stepMs);
    const provider = `p${i % providers}`;
    limiter.observe({ provider, capability: "c0", usage: { tokens: 100 }, outcome: { status: 200, latencyMs: 50 } });
  }
  const names = Array.from({ length: capabilities }, (_, i) => `c${i}`);
  let next = 0;
  return (count) => {
    let check = 0;
    for (let i = 0; i < count; i++) {
      // A step so small that the window stays as full as it is.
      clock.advanceMs(0.001);
      // A stride, so that the next capability is not the neighbour in memory.
      next = (next + 7_919) % capabilities;
      const capability = names[next]!;
      const decision = limiter.select(capability);
      for (const { provider, score } of decision.alternatives) check += score + provider.length;
      const { provider } = decision;
      limiter.observe({ provider, capability, usage: { tokens: 100 }, outcome: { status: 200, latencyMs: 50 } });
    }
    return check;
  };
}

function heldBytes(): number {
  // Objects that finalizers release need another collection.
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes of each of the made things, which stay alive until they are counted. */
function bytesOfEach(count: number, make: () => unknown): number {
  const before = heldBytes();
  const made = make();
  const bytes = (heldBytes() - before) / count;
  kept.push(made);
  return bytes;
}

const kept: unknown[] = [];

const memory: { readonly [what: string]: () => number } = {
  "idle provider": () => bytesOfEach(2_000, () => limiterOf(2_000, 2, 1)),

  "busy provider": () =>
    bytesOfEach(100, () => {
      const [limiter, clock] = limiterOf(100, 2, 1);
      for (let i = 0; i < 300_000; i++) {
        clock.advanceMs(0.4);
        limiter.observe({ provider: `p${i % 100}`, usage: { tokens: 100 }, outcome: { status: 200, latencyMs: 50 } });
      }
      return limiter;
    }),

  lease: () => {
    const [limiter] = limiterOf(8, 2, 1);
    for (let i = 0; i < 100; i++) limiter.tryAcquire("c0", { tokens: 100 });
    return bytesOfEach(5_000, () => Array.from({ length: 5_000 }, () => limiter.tryAcquire("c0", { tokens: 100 })));
  },

  waiter: () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "a", limits: { concurrency: 1 } }],
      capabilities: { c: ["a"] },
    });
    const first = limiter.tryAcquire("c");
    return bytesOfEach(5_000, () => [first, ...Array.from({ length: 5_000 }, () => limiter.acquire("c"))]);
  },

  "bytes allocated by select + observe at 2 providers": () => allocated(2),
  "bytes allocated by select + observe at 8 providers": () => allocated(8),
  "bytes allocated by tryAcquire + settle at 8 providers": () => {
    const [limiter, clock] = limiterOf(8, 2, 1);
    return allocatedBy(() => {
      clock.advanceMs(1);
      const lease = limiter.tryAcquire("c0", { tokens: 100 });
      if (lease.granted) lease.settle({ status: "success", usage: { tokens: 100 } });
    });
  },

  "heap after 1e7 decisions less that after 1e5": () => {
    const [limiter, clock] = limiterOf(2, 2, 1);
    const decide = decision(limiter, clock);
    for (let i = 0; i < 1e5; i++) decide();
    const before = heldBytes();
    for (let i = 1e5; i < 1e7; i++) decide();
    return heldBytes() - before;
  },
};

function decision(limiter: GrateLimiter<string>, clock: MockClock): () => void {
  return () => {
    clock.advanceMs(1);
    const { provider } = limiter.select("c0");
    limiter.observe({
      provider,
      capability: "c0",
      usage: { tokens: 100 },
      outcome: { status: "success", latencyMs: 50 },
    });
  };
}

function allocated(providers: number): number {
  const [limiter, clock] = limiterOf(providers, 2, 1);
  return allocatedBy(decision(limiter, clock));
}

/** Bytes that one call allocates. The young generation must be so large that no collection runs meanwhile. */
function allocatedBy(act: () => void): number {
  for (let i = 0; i < 200_000; i++) act();
  globalThis.gc!();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 20_000; i++) act();
  return (process.memoryUsage().heapUsed - before) / 20_000;
}

/** Share of the time of a million decisions in which garbage is collected. */
async function collecting(what: string): Promise<number> {
  const [limiter, clock] = limiterOf(Number(/\d+/.exec(what)), 2, 1);
  const decide = decision(limiter, clock);
  for (let i = 0; i < 100_000; i++) decide();
  let collectedMs = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collectedMs += duration;
  });
  observer.observe({ entryTypes: ["gc"] });
  const start = performance.now();
  for (let i = 0; i < 1_000_000; i++) decide();
  const elapsedMs = performance.now() - start;
  // The observer gets its entries in a later turn of the event loop.
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  return collectedMs / elapsedMs;
}

const kinds: { readonly [kind: string]: (setup: never) => Operations } = {
  time,
  memory: (what: string) => () => memory[what]!(),
  collecting: (what: string) => () => collecting(what),
};

await answerLines(kinds[process.argv[2]!]!);
