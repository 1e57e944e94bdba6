// Failover Bench S01 to S05. Durations are those of the scenarios multiplied by the factor in each test.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NoAvailableProviders, PriorityScorer } from "../../../src/index.ts";
import { Chat, tried } from "../../support/http/chat.ts";
import { completion, DONE, failure, finish, streamed, tokens } from "../../support/http/chat-dialect.ts";
import { deadUrl } from "../../support/http/scripted-server.ts";
import { type SeenRequest, type Upstream, UpstreamProcess } from "../../support/http/scripted-upstream.ts";

let servers: UpstreamProcess;
beforeAll(async () => {
  servers = await UpstreamProcess.launch();
});
afterAll(() => servers.stop());

const healthy = () => servers.upstream({ reply: completion("fallback-model") });

/** The times between consecutive requests. */
function gaps(seen: readonly SeenRequest[]): number[] {
  return seen.slice(1).map(({ atMs }, i) => atMs - seen[i]!.atMs);
}

async function modelOf(response: Response): Promise<string> {
  return ((await response.json()) as { model: string }).model;
}

async function rejection(promise: Promise<unknown>): Promise<NoAvailableProviders> {
  const error = await promise.then(
    () => expect.unreachable("it was answered"),
    (thrown: unknown) => thrown,
  );
  if (!NoAvailableProviders.is(error)) throw error;
  return error;
}

describe.concurrent("S01: 429 with Retry-After 2 s", () => {
  // Original: the next attempt no sooner than 1.8 s later, or on the fallback; no bursts. Factor 1/10.
  const RETRY_AFTER_MS = 200;
  const LEAST_GAP_MS = 180;
  const limited = (requests: number) =>
    servers.upstream(
      { requests, reply: failure(429, "rate_limited", { "retry-after-ms": `${RETRY_AFTER_MS}` }) },
      { reply: completion("primary-model") },
    );

  it("S01: the call fails over, and the primary gets no request for the stated time", async () => {
    const [primary, fallback] = [await limited(1), await healthy()];
    const chat = new Chat(primary, fallback, { scoring: new PriorityScorer() });
    const { value, provider, attempts } = await chat.run();
    expect(await modelOf(value)).toBe("fallback-model");
    expect(provider).toBe("fallback");
    expect(tried(attempts)).toEqual(["primary: rate_limited", "fallback: success"]);
    // Further requests arrive until the primary has completed its cooldown and is preferred again.
    while ((await chat.run()).provider !== "primary") await sleep(10);
    const seen = await primary.seen();
    expect(seen).toHaveLength(2);
    expect(gaps(seen)[0]).toBeGreaterThanOrEqual(LEAST_GAP_MS);
    expect(chat.inFlight).toBe(0);
  });

  it("S01: without a fallback the call waits and retries the same provider", async () => {
    const primary = await limited(1);
    const { value, attempts } = await new Chat(primary).run();
    expect(await modelOf(value)).toBe("primary-model");
    expect(tried(attempts)).toEqual(["primary: rate_limited", "primary: success"]);
    const seen = await primary.seen();
    expect(seen).toHaveLength(2);
    expect(gaps(seen)[0]).toBeGreaterThanOrEqual(LEAST_GAP_MS);
  });

  it("S01: eight simultaneous callers neither retry early nor all at the same instant", async () => {
    const primary = await limited(8);
    const chat = new Chat(primary);
    const results = await Promise.all(Array.from({ length: 8 }, () => chat.run()));
    expect(results.map(({ value }) => value.status)).toEqual(Array(8).fill(200));
    const seen = await primary.seen();
    expect(seen).toHaveLength(16);
    const [first, second, third] = [seen.slice(0, 8), seen[8]!, seen[9]!];
    expect(second.atMs - first.at(-1)!.atMs).toBeGreaterThanOrEqual(LEAST_GAP_MS);
    // One retry goes first, and the others follow when it has been served.
    expect(third.atMs).toBeGreaterThanOrEqual(second.endedMs! - 5);
  });

  it("S01: the standard header in seconds is observed (factor 1/2)", async () => {
    const primary = await servers.upstream(
      { requests: 1, reply: failure(429, "rate_limited", { "retry-after": "1" }) },
      { reply: completion("primary-model") },
    );
    const { attempts } = await new Chat(primary).run();
    expect(tried(attempts)).toEqual(["primary: rate_limited", "primary: success"]);
    expect(gaps(await primary.seen())[0]).toBeGreaterThanOrEqual(900);
  });
});

describe.concurrent("S02: 429 for ever, without a header", () => {
  // Original: at most 4 attempts in 3 s, 6 in total. Factor 1, because attempts are counted.
  const always429 = () => servers.upstream({ reply: failure(429, "rate_limited") });

  it("S02: one request gives up after a few attempts", async () => {
    const primary = await always429();
    const error = await rejection(new Chat(primary).run({ maxWaitMs: 2_500 }));
    // The second cooldown ends after 3 s, so the call is refused when it begins.
    expect(error.kind).toBe("attempts_failed");
    const seen = await primary.seen();
    expect(tried(error.attempts)).toEqual(seen.map(() => "primary: rate_limited"));
    expect(seen.length).toBeGreaterThanOrEqual(2);
    expect(seen.length).toBeLessThanOrEqual(4);
  });

  it("S02: consecutive requests give up sooner, because the provider is in cooldown", async () => {
    const primary = await always429();
    const chat = new Chat(primary);
    const errors: NoAvailableProviders[] = [];
    for (let i = 0; i < 10; i++) errors.push(await rejection(chat.run({ maxWaitMs: 0 })));
    expect((await primary.seen()).length).toBeLessThanOrEqual(4);
    // The last calls were refused locally, with the time at which a retry is useful.
    const last = errors.at(-1)!;
    expect(last.kind).toBe("refused");
    // The first cooldown lasts one second.
    expect(last.retryAfterMs).toBeGreaterThan(0);
    expect(last.retryAfterMs).toBeLessThanOrEqual(1_000);
    expect(last.reasons).toMatchObject([{ provider: "primary", reason: "cooldown" }]);
  });

  it("S02: with a fallback all requests are served", async () => {
    const [primary, fallback] = [await always429(), await healthy()];
    const chat = new Chat(primary, fallback);
    for (let i = 0; i < 10; i++) expect((await chat.run()).value.status).toBe(200);
    expect((await primary.seen()).length).toBeLessThanOrEqual(4);
    expect(await fallback.seen()).toHaveLength(10);
  });
});

describe.concurrent("S03: one 500", () => {
  // Original: the same provider is tried again and answers.
  const once500 = () =>
    servers.upstream({ requests: 1, reply: failure(500, "broken") }, { reply: completion("primary-model") });

  it("S03: without a fallback the same provider is tried again", async () => {
    const primary = await once500();
    const { value, attempts } = await new Chat(primary).run();
    expect(await modelOf(value)).toBe("primary-model");
    expect(tried(attempts)).toEqual(["primary: server_error", "primary: success"]);
    expect(await primary.seen()).toHaveLength(2);
  });

  it("S03: a fallback answers immediately, and the primary stays preferred", async () => {
    const [primary, fallback] = [await once500(), await healthy()];
    const chat = new Chat(primary, fallback);
    expect(tried((await chat.run()).attempts)).toEqual(["primary: server_error", "fallback: success"]);
    expect((await chat.run()).provider).toBe("primary");
    expect([(await primary.seen()).length, (await fallback.seen()).length]).toEqual([2, 1]);
  });

  it("S03: a stream fails over in the same way", async () => {
    const primary = await servers.upstream(
      { requests: 1, reply: failure(500, "broken") },
      { reply: streamed(...tokens(0, 60), finish("stop"), DONE) },
    );
    const { pieces, error, attempts } = await new Chat(primary).stream();
    expect(error).toBeNull();
    expect(pieces).toHaveLength(61);
    expect(tried(attempts).slice(0, 1)).toEqual(["primary: server_error"]);
  });
});

describe.concurrent("S04: 503 for ever", () => {
  // Original: a bounded number of attempts, and failover.
  const always503 = () => servers.upstream({ reply: failure(503, "overloaded") });

  it("S04: the fallback serves all requests, and the primary soon gets none", async () => {
    const [primary, fallback] = [await always503(), await healthy()];
    const chat = new Chat(primary, fallback, { scoring: new PriorityScorer() });
    for (let i = 0; i < 20; i++) {
      const { value, provider } = await chat.run();
      expect([value.status, provider]).toEqual([200, "fallback"]);
    }
    // Three consecutive failures start the cooldown.
    expect(await primary.seen()).toHaveLength(3);
    expect(chat.limiter.providerInCooldown("primary")).toBe(true);
  });

  it("S04: without a fallback the call soon ends with its attempts", async () => {
    const primary = await always503();
    const error = await rejection(new Chat(primary).run());
    expect(error.kind).toBe("attempts_failed");
    expect(tried(error.attempts)).toEqual(Array(3).fill("primary: overloaded"));
    expect(await primary.seen()).toHaveLength(3);
  });
});

describe.concurrent("S05: the connection is cut before the headers", () => {
  // Original: the caller gets an answer.
  const cutOnce = (cut: "reset" | "close", next: Upstream | null) =>
    servers.upstream(
      { ...(next === null && { requests: 1 }), reply: { status: null, steps: [{ cut }] } },
      { reply: completion("primary-model") },
    );

  it.each(["reset", "close"] as const)("S05: the call fails over (%s)", async (cut) => {
    const fallback = await healthy();
    const primary = await cutOnce(cut, fallback);
    const { value, attempts } = await new Chat(primary, fallback).run();
    expect(await modelOf(value)).toBe("fallback-model");
    expect(attempts[0]!.status).not.toBe("cancelled");
    expect(attempts.map(({ provider }) => provider)).toEqual(["primary", "fallback"]);
    expect(await primary.seen()).toHaveLength(1);
  });

  it.each(["reset", "close"] as const)("S05: without a fallback the call is tried again (%s)", async (cut) => {
    const primary = await cutOnce(cut, null);
    const { value } = await new Chat(primary).run();
    expect(await modelOf(value)).toBe("primary-model");
    expect(await primary.seen()).toHaveLength(2);
  });

  it("S05: the call fails over if the port refuses connections", async () => {
    const fallback = await healthy();
    const nobody: Upstream = { url: `${await deadUrl()}/v1/chat`, seen: async () => [], ended: async () => [] };
    const { value, attempts } = await new Chat(nobody, fallback).run();
    expect(await modelOf(value)).toBe("fallback-model");
    expect(attempts.map(({ provider }) => provider)).toEqual(["primary", "fallback"]);
  });
});
