// Calls on the real clock that have the same results in every runtime. Prints the results as one line of JSON.
import { runInNewContext } from "node:vm";
import { GrateLimiter, NoAvailableProviders } from "grate-limiter";

const httpError = (status: number) => Object.assign(new Error(`status ${status}`), { status });
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function newLimiter() {
  return new GrateLimiter({
    providers: [
      { name: "a", priority: 20, limits: { concurrency: 2 } },
      { name: "b", limits: { rpm: 10_000 } },
    ],
    capabilities: { chat: ["a", "b"], only: ["a"] },
  });
}

/** An AbortSignal of a polyfill. */
function foreignSignal() {
  const listeners = new Set<() => void>();
  return {
    aborted: false,
    reason: undefined as unknown,
    addEventListener: (_: string, listener: () => void) => void listeners.add(listener),
    removeEventListener: (_: string, listener: () => void) => void listeners.delete(listener),
    abort(reason: unknown) {
      this.aborted = true;
      this.reason = reason;
      for (const listener of [...listeners]) listener();
    },
    listeners,
  };
}

async function errorOf(
  call: PromiseLike<unknown>,
): Promise<Error & { kind?: string; attempts?: { status: string }[] }> {
  try {
    await call;
  } catch (error) {
    return error as Error;
  }
  throw new Error("no error");
}

const checks: { readonly [name: string]: () => Promise<unknown> } = {
  async failover() {
    const limiter = newLimiter();
    const tasks = Array.from({ length: 6 }, () =>
      limiter.run("chat", ({ provider }) => {
        if (provider === "a") throw httpError(503);
        return provider;
      }),
    );
    return (await Promise.all(tasks)).map(({ value }) => value);
  },
  async waiting() {
    const limiter = newLimiter();
    let most = 0;
    let running = 0;
    const tasks = Array.from({ length: 6 }, () =>
      limiter.run("only", async () => {
        most = Math.max(most, ++running);
        await sleep(2);
        running--;
      }),
    );
    await Promise.all(tasks);
    return most;
  },
  async timeOut() {
    const limiter = newLimiter();
    const hang = () => new Promise<never>(() => {});
    const error = await errorOf(limiter.run("only", hang, { attemptTimeoutMs: 5, maxAttempts: 1 }));
    return [
      NoAvailableProviders.is(error),
      error.name,
      error.kind,
      error.attempts?.length,
      (error.cause as Error).name,
    ];
  },
  async abort() {
    const limiter = newLimiter();
    const controller = new AbortController();
    const call = limiter.run("only", () => sleep(60_000), { signal: controller.signal });
    const waiting = [limiter.acquire("only"), limiter.acquire("only", { signal: controller.signal })];
    setTimeout(() => controller.abort(httpError(1)), 2);
    const errors = [await errorOf(call), await errorOf(waiting[1]!)];
    return errors.map(({ message }) => message);
  },
  async foreignSignal() {
    const limiter = newLimiter();
    const signal = foreignSignal();
    const call = limiter.run("only", () => sleep(60_000), { signal: signal as unknown as AbortSignal });
    setTimeout(() => signal.abort("left"), 2);
    return [await errorOf(call), signal.listeners.size];
  },
  async stream() {
    const limiter = newLimiter();
    const chunks: number[] = [];
    let isAborted = false;
    const { value } = await limiter.stream("chat", async function* ({ signal }: { signal: AbortSignal }) {
      signal.addEventListener("abort", () => {
        isAborted = true;
      });
      for (let i = 0; i < 5; i++) yield i;
    } as never);
    for await (const chunk of value as AsyncIterable<number>) {
      chunks.push(chunk);
      if (chunk === 2) break;
    }
    return [chunks, isAborted];
  },
  async map() {
    const limiter = newLimiter();
    let sum = 0;
    const items = Array.from({ length: 50 }, (_, i) => i);
    for await (const result of limiter.map("chat", items, async (item) => {
      await sleep(1);
      if (item === 7) throw httpError(400);
      return item;
    })) {
      sum += result.ok ? (result.value as number) : 1_000;
    }
    return sum;
  },
  async otherRealm() {
    const limiter = newLimiter();
    const foreign = runInNewContext(`({
      value: () => Promise.resolve(1),
      fail: () => Promise.reject(new TypeError("fetch failed")),
      items: [1, 2, 3],
      async *chunks() { yield 1; yield 2; },
    })`) as {
      value(): Promise<number>;
      fail(): Promise<number>;
      items: number[];
      chunks(): AsyncIterable<number>;
    };
    const tasks = await limiter.run("chat", ({ provider }) => (provider === "a" ? foreign.fail() : foreign.value()));
    let sum = 0;
    for await (const { ok } of limiter.map("chat", foreign.items, foreign.value)) sum += Number(ok);
    const { value } = await limiter.stream("chat", foreign.chunks);
    for await (const chunk of value) sum += chunk;
    return [tasks.value, tasks.attempts.map(({ status }) => status), sum];
  },
  async observe() {
    const limiter = new GrateLimiter({
      providers: [{ name: "a", limits: { tpm: 100 } }],
      capabilities: { chat: ["a"] },
    });
    limiter.observe({ provider: "a", usage: { tokens: 10 }, outcome: { status: "success", latencyMs: 1 } });
    const before = limiter.remainingQuota("a", "tokens");
    const lease = limiter.tryAcquire("chat", { tokens: 5 });
    if (lease.granted) lease.settle({ status: 200, usage: { tokens: 10 }, latencyMs: 1 });
    return [before, limiter.remainingQuota("a", "tokens"), limiter.metrics.invalidUsages];
  },
  async messages() {
    const limiter = new GrateLimiter({
      providers: [{ name: "a", limits: { tpm: 1_000 } }],
      capabilities: { chat: ["a"] },
    });
    const error = await errorOf(limiter.run("chat", () => 1, { tokens: 5_000 }));
    return [error.name, error.message, String(error)];
  },
};

const results: { [name: string]: unknown } = {};
for (const [name, check] of Object.entries(checks)) {
  const limit = sleep(10_000).then(() => "no answer within 10 s");
  results[name] = await Promise.race([check(), limit]).catch((error: Error) => `${error.name}: ${error.message}`);
}
console.log(JSON.stringify(results));
process.exit(0);
