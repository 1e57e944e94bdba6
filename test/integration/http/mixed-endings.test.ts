// 200 callers and five servers, with every kind of ending: errors of the caller and of the server, time-outs, aborts
// before and after sending, streams that are left early, leases that are released, forgotten or expire. Amounts that a
// server might have counted stay counted, and requests that it might still process keep their places, so no 429 must
// occur.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrateLimiter, type Lease, NoAvailableProviders } from "../../../src/index.ts";
import { closedLoop, unixNow } from "../../support/http/closed-loop.ts";
import {
  DELAY_MS,
  declared,
  SERVER_NAMES,
  SERVERS,
  type ServerName,
  tokensOf,
  WINDOW_MS,
} from "../../support/http/five-servers.ts";
import { type Answer, LimitedServers } from "../../support/http/limited-servers.ts";
import { figures, peakOf, type RoundTrip, type Share, shareOf } from "../../support/http/served-capacity.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const CALLERS = 200;
const SATURATED_MS = 40_000;
const SEED = 20_261_123;
const FOREVER = Number.POSITIVE_INFINITY;

/** The kinds of endings, and how often each occurs in a hundred requests. */
const ENDINGS = {
  fine: 30,
  "client error": 8,
  "server error": 6,
  "time-out": 4,
  "aborted after sending": 6,
  "aborted before sending": 4,
  "aborted in line": 4,
  "stream read": 8,
  "stream left early": 8,
  "stream aborted": 3,
  "never sent": 4,
  "released too late": 3,
  "lease timed out": 3,
  "lease cancelled": 3,
  "lease forgotten": 3,
  "lease expired": 3,
} as const;
type Ending = keyof typeof ENDINGS;

class HttpError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

class Endings {
  readonly limiter = new GrateLimiter<ServerName, { any: ServerName }>({
    providers: SERVERS.map(declared),
    capabilities: { any: SERVER_NAMES },
    skewCapMs: FOREVER,
    // Short cooldowns and no minimum health, because fewer sent requests would make the test easy.
    defaultCooldownSeconds: 0.5,
    health: { cooldownMultiplier: 1 },
    minimumHealthScore: 0,
  });
  readonly counts = new Map<string, number>();
  /** Requests that were served, to state roughly the used share of the capacity. */
  readonly trips: RoundTrip<ServerName>[] = [];
  readonly #urls: { readonly [name in ServerName]: string };
  readonly #random: () => number;

  constructor(urls: { readonly [name in ServerName]: string }, random: () => number) {
    this.#urls = urls;
    this.#random = random;
  }

  /** One request of a randomly chosen kind; `over` ends the test. */
  async next(over: AbortSignal): Promise<void> {
    const ending = this.#draw();
    this.#count(ending);
    const tokens = tokensOf(this.#random);
    try {
      await this.#end(ending, tokens, over);
    } catch (error) {
      if (over.aborted) return;
      const isExpected =
        NoAvailableProviders.is(error) && ["attempts_failed", "retry_budget", "timed_out"].includes(error.kind);
      if (!isExpected) throw new Error(`${ending}: ${error}`, { cause: error });
      this.#count(error.kind);
    }
  }

  async #end(ending: Ending, tokens: number, over: AbortSignal): Promise<void> {
    switch (ending) {
      case "fine":
        expect((await this.#run(tokens, 200, over)).status).toBe(200);
        return;
      case "client error": {
        const status = [400, 404, 422][Math.floor(3 * this.#random())]!;
        // The error is returned unchanged, and the request is not retried.
        expect((await this.#run(tokens, status, over)).status).toBe(status);
        return;
      }
      case "server error": {
        const status = [500, 503, 529][Math.floor(3 * this.#random())]!;
        expect((await this.#run(tokens, status, over)).status).toBe(200);
        return;
      }
      case "time-out":
        expect((await this.#run(tokens, "silence", over, { attemptTimeoutMs: 900 })).status).toBe(200);
        return;
      case "aborted after sending":
        return this.#aborted(over, (signal, abortIn) => {
          const answer = this.#random() < 0.5 ? "silence" : 200;
          return this.#run(tokens, answer, signal, { onSend: () => abortIn(700 * this.#random()) });
        });
      case "aborted before sending":
        return this.#aborted(over, (signal, abortIn) => {
          const task = async () => {
            abortIn(0);
            await sleep(5);
            signal.throwIfAborted();
          };
          return this.limiter.run("any", task, { tokens, maxWaitMs: FOREVER, signal });
        });
      case "aborted in line":
        return this.#aborted(over, (signal, abortIn) => {
          abortIn(3_000 * this.#random());
          return this.#run(tokens, 200, signal);
        });
      case "stream read":
        expect(await this.#read(tokens, over, FOREVER)).toBe(9);
        return;
      case "stream left early":
        await this.#read(tokens, over, 1 + Math.floor(4 * this.#random()));
        return;
      case "stream aborted":
        return this.#aborted(over, (signal, abortIn) => this.#read(tokens, signal, FOREVER, () => abortIn(150)));
      default:
        return this.#withLease(ending, tokens, over);
    }
  }

  /** Through a lease that the caller ends explicitly. */
  async #withLease(ending: Ending, tokens: number, over: AbortSignal): Promise<void> {
    const leaseTimeoutMs = ending === "lease expired" ? 900 : 600_000;
    const lease = await this.limiter.acquire("any", { tokens, maxWaitMs: FOREVER, signal: over, leaseTimeoutMs });
    switch (ending) {
      case "never sent":
        // Some time passes, as for a caller that finds the answer in a cache.
        await sleep(20 * this.#random());
        lease.release();
        return;
      case "released too late":
        await this.#send(lease, tokens, 200, AbortSignal.timeout(5_000)).catch(() => {});
        lease.headersReceived();
        lease.release();
        return;
      case "lease timed out":
        await this.#send(lease, tokens, "silence", AbortSignal.timeout(500)).catch(() => {});
        lease.settle({ status: "timeout" });
        return;
      case "lease cancelled":
        await this.#send(lease, tokens, 200, AbortSignal.timeout(Math.ceil(600 * this.#random()))).catch(() => {});
        lease.settle({ status: "cancelled" });
        return;
      case "lease forgotten":
        await this.#send(lease, tokens, 200, AbortSignal.timeout(Math.ceil(900 * this.#random()))).catch(() => {});
        lease[Symbol.dispose]();
        return;
      default:
        // The lease expires at the time at which the caller gives up the request.
        await this.#send(lease, tokens, "silence", AbortSignal.timeout(900)).catch(() => {});
    }
  }

  #send(lease: Lease<ServerName>, tokens: number, answer: Answer, signal: AbortSignal): Promise<string> {
    return fetch(this.#url(lease.provider, tokens, answer), { method: "POST", signal }).then((response) =>
      response.text(),
    );
  }

  /** Through `run`; only the first attempt gets a bad answer. */
  async #run(
    tokens: number,
    answer: Answer,
    signal: AbortSignal,
    { attemptTimeoutMs, onSend }: { attemptTimeoutMs?: number; onSend?: () => void } = {},
  ): Promise<Response> {
    let isFirst = true;
    const { value } = await this.limiter.run(
      "any",
      async ({ provider, signal }) => {
        const at = unixNow();
        const url = this.#url(provider, tokens, isFirst ? answer : 200);
        isFirst = false;
        const sent = fetch(url, { method: "POST", signal });
        onSend?.();
        const response = await sent;
        await response.text();
        this.trips.push({ provider, at, ms: unixNow() - at });
        return response;
      },
      { tokens, maxWaitMs: FOREVER, signal, attemptTimeoutMs },
    );
    return value;
  }

  /** Through `stream`, up to `most` chunks. Returns the number of chunks. */
  async #read(tokens: number, signal: AbortSignal, most: number, onFirst?: () => void): Promise<number> {
    const { value } = await this.limiter.stream(
      "any",
      async ({ provider, signal }) => {
        const response = await fetch(this.#url(provider, tokens, "stream"), { method: "POST", signal });
        if (!response.ok || response.body === null) throw new HttpError(response.status);
        return events(response.body);
      },
      { tokens, maxWaitMs: FOREVER, signal },
    );
    onFirst?.();
    let chunks = 0;
    for await (const _ of value) if (++chunks >= most) break;
    return chunks;
  }

  /** A request that its caller aborted must reject with the reason of the caller, unless it was already complete. */
  async #aborted(
    over: AbortSignal,
    start: (signal: AbortSignal, abortIn: (ms: number) => void) => Promise<unknown>,
  ): Promise<void> {
    const reason = new Error("the caller left");
    const caller = new AbortController();
    const abortIn = (ms: number) => void setTimeout(() => caller.abort(reason), ms);
    try {
      await start(AbortSignal.any([over, caller.signal]), abortIn);
    } catch (error) {
      if (error !== reason) throw error;
      this.#count("the caller's reason");
    }
  }

  #url(provider: ServerName, tokens: number, answer: Answer): string {
    return `${this.#urls[provider]}?tokens=${tokens}&answer=${answer}`;
  }

  #draw(): Ending {
    let point = 100 * this.#random();
    for (const [ending, weight] of Object.entries(ENDINGS)) {
      point -= weight;
      if (point < 0) return ending as Ending;
    }
    return "fine";
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

/** Requests in flight and waiters after the end: the place of an abandoned request stays occupied for a second. */
async function atRest(limiter: Endings["limiter"]) {
  for (let patience = 50; ; patience--) {
    await sleep(200);
    const { providers, waiting } = limiter.inspect();
    const inFlight = providers.map(({ name, inFlight }) => [name, inFlight] as const);
    if (patience === 0 || inFlight.every(([, count]) => count === 0)) return { inFlight, waiting };
  }
}

/** Server-sent events, one at a time. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

describe("200 callers with every kind of ending", () => {
  let servers: LimitedServers<ServerName>;
  beforeAll(async () => {
    servers = await LimitedServers.launch({ seed: SEED, servers: SERVERS, delayMs: DELAY_MS });
  });
  afterAll(() => servers.stop());

  it("no request meets a 429", async () => {
    const endings = new Endings(servers.urls, seededRandom(SEED));
    const { limiter, counts, trips } = endings;
    const saturation = await closedLoop({
      callers: CALLERS,
      arriveWithinMs: 8_000,
      saturatedMs: SATURATED_MS,
      isWaiting: () => (limiter.inspect().waiting["any"] ?? 0) > 0,
      call: (_, signal) => endings.next(signal),
    });
    const { inFlight, waiting } = await atRest(limiter);
    const seen = await servers.seen();
    const shares = Object.fromEntries(
      SERVERS.map((plan) => {
        return [plan.name, shareOf(plan, seen[plan.name], trips, saturation.fromMs + WINDOW_MS, saturation.untilMs)];
      }),
    ) as { [name in ServerName]: Share };
    const present = (100 * saturation.share).toFixed(1);
    const happened = [...counts].map(([what, count]) => `${count} ${what}`).join(", ");
    console.log(
      `${figures("mixed endings", shares)}; seed ${SEED}, line present ${present} % of the time; ${happened}`,
    );

    for (const plan of SERVERS) {
      expect(shares[plan.name].refused, plan.name).toBe(0);
      // A server that never comes near its limit cannot refuse a request.
      expect(peakOf(plan, seen[plan.name]), plan.name).toBeGreaterThanOrEqual(0.75);
    }
    expect(saturation.share).toBeGreaterThan(0.9);
    const all = SERVER_NAMES.flatMap((name) => seen[name].requests);
    const least = (count: number, is: (request: (typeof all)[number]) => boolean) =>
      expect(all.filter(is).length).toBeGreaterThan(count);
    least(50, ({ status }) => status >= 400 && status < 500);
    least(50, ({ status }) => status >= 500);
    least(50, ({ status }) => status === 0);
    least(100, ({ isLeft }) => isLeft);
    for (const ending of Object.keys(ENDINGS)) expect(counts.get(ending), ending).toBeGreaterThan(10);

    expect(inFlight).toEqual(SERVER_NAMES.map((name) => [name, 0]));
    expect(Object.values(waiting).every((count) => count === 0)).toBe(true);
    limiter.close();
  });
});
