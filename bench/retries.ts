// 60 calls over two providers of 20 requests per 2 s, the first of which answers 500 ten times: `npm run bench:retries`. Compares
// with p-queue + p-retry, one queue per provider and the next provider for each attempt, in real time and in the same run.
// Fails if ours is slower, loses a call, or is refused.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { GrateLimiter } from "grate-limiter";
import { seededRandom } from "./seeded-random.ts";
import { fetchedRivals, RETRY_RIVALS } from "./speed/rivals.ts";

const CALLS = 60;
const LIMIT = 20;
const WINDOW_MS = 2_000;
const FAILURES = 10;
/** Longest delay of the network each way; the delays are random, as real ones are. */
const DELAY_MS = 50;
const ROUNDS = 3;
const NAMES = ["a", "b"] as const;

type Name = (typeof NAMES)[number];
type Send = (name: Name) => Promise<Name>;
interface Server {
  readonly send: Send;
  readonly sent: { [name in Name]: number };
  refused: number;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Two providers with sliding logs, which count requests on arrival. */
function server(seed: number): Server {
  const random = seededRandom(seed);
  const admitted: { [name in Name]: number[] } = { a: [], b: [] };
  let failures = FAILURES;
  const state: Server = {
    sent: { a: 0, b: 0 },
    refused: 0,
    async send(name) {
      state.sent[name]++;
      await sleep(DELAY_MS * random());
      const now = performance.now();
      const log = admitted[name];
      while (log.length > 0 && log[0]! <= now - WINDOW_MS) log.shift();
      const isRefused = log.length >= LIMIT;
      if (!isRefused) log.push(now);
      const isBroken = !isRefused && name === "a" && failures > 0;
      if (isBroken) failures--;
      await sleep(DELAY_MS * random());
      if (isRefused) {
        state.refused++;
        throw Object.assign(new Error("too many requests"), { status: 429 });
      }
      if (isBroken) throw Object.assign(new Error("internal error"), { status: 500 });
      return name;
    },
  };
  return state;
}

type Caller = (send: Send) => (index: number) => Promise<unknown>;

const ours: Caller = (send) => {
  const quotas = [{ dimension: "requests", limit: LIMIT, window: { seconds: WINDOW_MS / 1_000 } }] as const;
  const limiter = new GrateLimiter({
    providers: NAMES.map((name) => ({ name, quotas })),
    capabilities: { chat: [...NAMES] },
  });
  return () => limiter.run("chat", ({ provider }) => send(provider as Name));
};

async function rival(): Promise<Caller> {
  const require = createRequire(pathToFileURL(join(await fetchedRivals(RETRY_RIVALS, "retry-rivals"), "x.js")));
  const load = async (name: string) => (await import(pathToFileURL(require.resolve(name)).href)).default;
  const [PQueue, pRetry] = await Promise.all([load("p-queue"), load("p-retry")]);
  return (send) => {
    const queues = NAMES.map(() => new PQueue({ intervalCap: LIMIT, interval: WINDOW_MS }));
    return (index) =>
      pRetry((attempt: number) => {
        const place = (index + attempt) % NAMES.length;
        return queues[place].add(() => send(NAMES[place]!));
      });
  };
}

async function measure(
  name: string,
  caller: Caller,
  seed: number,
): Promise<{ readonly ms: number; readonly isSafe: boolean }> {
  const state = server(seed);
  const call = caller(state.send);
  const startedAt = performance.now();
  const ends = await Promise.allSettled(Array.from({ length: CALLS }, (_, index) => call(index)));
  const ms = performance.now() - startedAt;
  const lost = ends.filter(({ status }) => status === "rejected").length;
  const { sent, refused } = state;
  console.log(`${name}: ${ms.toFixed(0)} ms, ${lost} lost, ${refused} refused, sent ${sent.a} + ${sent.b}`);
  return { ms, isSafe: lost === 0 && refused === 0 };
}

const theirs = await rival();
const best = { ours: Number.POSITIVE_INFINITY, theirs: Number.POSITIVE_INFINITY };
for (let round = 0; round < ROUNDS; round++) {
  best.theirs = Math.min(best.theirs, (await measure("p-queue + p-retry", theirs, round)).ms);
  const { ms, isSafe } = await measure("grate-limiter", ours, round);
  best.ours = Math.min(best.ours, ms);
  if (!isSafe) process.exitCode = 1;
}
if (best.ours > best.theirs) {
  console.error(`failed: ${best.ours.toFixed(0)} ms are more than ${best.theirs.toFixed(0)} ms`);
  process.exitCode = 1;
}
