// One limiter in front of an async call that does nothing: `calls ours-run`, `calls p-queue`, ... Each limiter has the options
// that its documentation recommends for limits on requests per minute and on simultaneous calls. Both limits are so high that no
// call waits.
//
// The other limiters are imported from the folder that the setup names; see ../rivals.ts.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { GrateLimiter, MockClock } from "grate-limiter";
import { answerLines, type Operations } from "./answer-lines.ts";

/** `together`: number of simultaneous calls. */
export interface CallSetup {
  readonly folder: string;
  readonly together: number;
}

type Call = (task: () => Promise<number>) => Promise<unknown>;

const AT_ONCE = 100;
const A_MINUTE = 1e9;

const which = process.argv[2]!;
function repeated(call: Call, together: number): Operations {
  const task = async (): Promise<number> => {
    done++;
    return done;
  };
  let done = 0;
  return async (count) => {
    done = 0;
    if (together === 1) {
      for (let i = 0; i < count; i++) await call(task);
    } else {
      for (let i = 0; i < count; i += together) {
        await Promise.all(Array.from({ length: together }, () => call(task)));
      }
    }
    if (done < count) throw new Error(`${which}: ${done} of ${count} calls were made`);
    return done;
  };
}

// biome-ignore lint/suspicious/noExplicitAny: these packages are not dependencies, so their types are unknown here.
function imported(folder: string, name: string): Promise<any> {
  return import(pathToFileURL(createRequire(`${folder}/package.json`).resolve(name)).href);
}

const calls: { readonly [name: string]: (folder: string) => Call | Promise<Call> } = {
  none: () => (task) => task(),

  "ours-run": () => {
    const limiter = new GrateLimiter({
      providers: [{ name: "a", limits: { rpm: A_MINUTE, concurrency: AT_ONCE } }],
      capabilities: { c: ["a"] },
    });
    return (task) => limiter.run("c", task);
  },

  async bottleneck(folder) {
    const { default: Bottleneck } = await imported(folder, "bottleneck");
    const limiter = new Bottleneck({
      maxConcurrent: AT_ONCE,
      reservoir: A_MINUTE,
      reservoirRefreshAmount: A_MINUTE,
      reservoirRefreshInterval: 60_000,
    });
    return (task) => limiter.schedule(task);
  },

  async "p-queue"(folder) {
    const { default: PQueue } = await imported(folder, "p-queue");
    const queue = new PQueue({ concurrency: AT_ONCE, intervalCap: A_MINUTE, interval: 60_000 });
    return (task) => queue.add(task);
  },

  async "p-limit"(folder) {
    const { default: pLimit } = await imported(folder, "p-limit");
    const limit = pLimit(AT_ONCE);
    return (task) => limit(task);
  },

  async limiter(folder) {
    const { RateLimiter } = await imported(folder, "limiter");
    const limiter = new RateLimiter({ tokensPerInterval: A_MINUTE, interval: "minute" });
    return async (task) => {
      await limiter.removeTokens(1);
      return task();
    };
  },

  async "rate-limiter-flexible"(folder) {
    const { default: library } = await imported(folder, "rate-limiter-flexible");
    const limiter = new library.RateLimiterMemory({ points: A_MINUTE, duration: 60 });
    return async (task) => {
      await limiter.consume("a");
      return task();
    };
  },

  async cockatiel(folder) {
    const { bulkhead, circuitBreaker, ConsecutiveBreaker, handleAll, wrap } = await imported(folder, "cockatiel");
    const breaker = circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) });
    const policy = wrap(bulkhead(AT_ONCE), breaker);
    return (task) => policy.execute(task);
  },
};

/** Eight providers with three quotas each. The clock advances by 1 ms for each operation. */
const leases: { readonly [name: string]: () => Operations } = {
  "ours-both": () => {
    const [limiter, clock] = eight();
    return (count) => {
      let check = 0;
      for (let i = 0; i < count; i++) {
        clock.advanceMs(1);
        const decision = limiter.select("c", { tokens: 100 });
        for (const { provider, score } of decision.alternatives) check += score + provider.length;
        const { provider } = decision;
        limiter.observe({
          provider,
          capability: "c",
          usage: { tokens: 100 },
          outcome: { status: "success", latencyMs: 50 },
        });
      }
      return check;
    };
  },

  "ours-tryAcquire": () => {
    const [limiter, clock] = eight();
    return (count) => {
      let check = 0;
      for (let i = 0; i < count; i++) {
        clock.advanceMs(1);
        const lease = limiter.tryAcquire("c", { tokens: 100 });
        if (!lease.granted) throw new Error("refused");
        check += lease.provider.length;
        lease.settle({ status: "success", usage: { tokens: 100 }, latencyMs: 50 });
      }
      return check;
    };
  },

  "ours-acquire": () => {
    const [limiter, clock] = eight();
    return async (count) => {
      let check = 0;
      for (let i = 0; i < count; i++) {
        clock.advanceMs(1);
        const lease = await limiter.acquire("c", { tokens: 100 });
        check += lease.provider.length;
        lease.settle({ status: "success", usage: { tokens: 100 }, latencyMs: 50 });
      }
      return check;
    };
  },

  "ours-acquire-1000-waiting": () => {
    const clock = new MockClock();
    const limiter = new GrateLimiter({
      clock,
      providers: [{ name: "a", limits: { rpm: A_MINUTE, concurrency: 1 } }],
      capabilities: { c: ["a"] },
    });
    const waiting = Array.from({ length: 1_001 }, () => limiter.acquire("c"));
    let first = 0;
    // The end of each lease serves the first waiter, and a new waiter joins the queue.
    return async (count) => {
      let check = 0;
      for (let i = 0; i < count; i++) {
        const lease = await waiting[first]!;
        waiting[first] = limiter.acquire("c");
        first = (first + 1) % waiting.length;
        lease.settle({ status: "success", latencyMs: 50 });
        check += lease.provider.length;
      }
      return check;
    };
  },
};

function eight(): [GrateLimiter<string>, MockClock] {
  const names = Array.from({ length: 8 }, (_, i) => `p${i}`);
  const clock = new MockClock();
  const limiter = new GrateLimiter<string>({
    clock,
    providers: names.map((name) => ({ name, limits: { rpm: 1e6, tpm: 1e9, concurrency: AT_ONCE } })),
    capabilities: { c: names },
  });
  return [limiter, clock];
}

await answerLines(async ({ folder, together }: CallSetup): Promise<Operations> => {
  const work = leases[which];
  if (work !== undefined) return work();
  return repeated(await calls[which]!(folder), together);
});
