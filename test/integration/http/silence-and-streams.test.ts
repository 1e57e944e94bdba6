// Failover Bench S06 to S11. Durations are those of the scenarios multiplied by the factor in each test.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NoAvailableProviders } from "../../../src/index.ts";
import { Chat, type Read, tried } from "../../support/http/chat.ts";
import {
  CutShort,
  completion,
  DONE,
  finish,
  piecesUntilFinished,
  streamed,
  tokens,
} from "../../support/http/chat-dialect.ts";
import { UpstreamProcess } from "../../support/http/scripted-upstream.ts";

let servers: UpstreamProcess;
beforeAll(async () => {
  servers = await UpstreamProcess.launch();
});
afterAll(() => servers.stop());

/** The time for which a server can continue with a request after its client has gone. */
const STILL_IN_WORK_MS = 1_050;

const ALL = [...tokens(0, 60, "fallback-model"), finish("stop", "fallback-model"), DONE];
const whole = () => servers.upstream({ reply: streamed(...ALL) });

const textOf = ({ pieces }: Read) => pieces.flatMap(({ text }) => (text === "" ? [] : [text]));
const texts = (count: number) => Array.from({ length: count }, (_, i) => `t${i}`);

/** The duration and the result. */
async function timed<T>(promise: Promise<T>): Promise<readonly [number, T]> {
  const startedAt = performance.now();
  const result = await promise;
  return [performance.now() - startedAt, result];
}

describe.concurrent("S06: silence for 120 s", () => {
  // Original: the call ends within 100 s and fails over after the first time-out. Factor 1/20; an attempt can take 30
  // s.
  const SECOND_MS = 50;
  const ATTEMPT_MS = 30 * SECOND_MS;
  const silent = () => servers.upstream({ reply: { status: null, steps: [{ waitMs: 120 * SECOND_MS }] } });

  it("S06: the call fails over after the first time-out", async () => {
    const [primary, fallback] = [await silent(), await servers.upstream({ reply: completion("fallback-model") })];
    const chat = new Chat(primary, fallback);
    const [ms, { provider, attempts }] = await timed(chat.run({ attemptTimeoutMs: ATTEMPT_MS }));
    expect(provider).toBe("fallback");
    expect(tried(attempts)).toEqual(["primary: timeout", "fallback: success"]);
    expect(ms).toBeGreaterThanOrEqual(ATTEMPT_MS - 5);
    expect(ms).toBeLessThan(100 * SECOND_MS);
    // The request was aborted.
    expect(await primary.ended()).toMatchObject([{ ending: "left" }]);
  });

  it("S06: if all providers are silent the call ends at the time-out of the caller", async () => {
    const primary = await silent();
    const chat = new Chat(primary);
    const options = { attemptTimeoutMs: ATTEMPT_MS, timeoutMs: 60 * SECOND_MS, maxAttempts: 10 };
    const [ms, error] = await timed(chat.run(options).catch((thrown: unknown) => thrown));
    expect(NoAvailableProviders.is(error) && error.attempts.length).toBeGreaterThanOrEqual(2);
    expect(ms).toBeLessThan(100 * SECOND_MS);
    const seen = await primary.ended();
    expect(seen.length).toBeLessThanOrEqual(3);
    expect(seen.map(({ ending }) => ending)).toEqual(seen.map(() => "left"));
  });
});

describe.concurrent("S07: the first token after 20 s", () => {
  // Original: the first token reaches the caller within 15 s. Factor 1/4; the first token can take 4 s.
  const SECOND_MS = 250;

  it("S07: the stream fails over before the first token, although the headers came immediately", async () => {
    const primary = await servers.upstream({ reply: streamed({ waitMs: 20 * SECOND_MS }, ...tokens(0, 60), DONE) });
    const fallback = await whole();
    const chat = new Chat(primary, fallback);
    const [ms, read] = await timed(chat.stream({ attemptTimeoutMs: 4 * SECOND_MS }));
    expect(ms).toBeLessThan(15 * SECOND_MS);
    expect(read.provider).toBe("fallback");
    expect(tried(read.attempts)[0]).toBe("primary: timeout");
    expect(read.error).toBeNull();
    expect(textOf(read)).toEqual(texts(60));
    expect(new Set(read.pieces.map(({ model }) => model))).toEqual(new Set(["fallback-model"]));
    expect(await primary.ended()).toMatchObject([{ ending: "left" }]);
  });

  it("S07: after the first token the time-out of attempts does not apply", async () => {
    const primary = await servers.upstream({
      reply: streamed(...tokens(0, 1), { waitMs: 6 * SECOND_MS }, ...tokens(1, 60), finish("stop"), DONE),
    });
    const read = await new Chat(primary, await whole()).stream({ attemptTimeoutMs: 4 * SECOND_MS });
    expect(read.provider).toBe("primary");
    expect(textOf(read)).toEqual(texts(60));
  });
});

describe.concurrent("S08: the stream is cut after 40 of 60 tokens", () => {
  // Original: a full answer or a clean error, never a truncated answer that looks complete.
  it.each(["reset", "close"] as const)("S08: the received tokens are returned, then the error (%s)", async (cut) => {
    const primary = await servers.upstream({ reply: streamed(...tokens(0, 40), { waitMs: 50 }, { cut }) });
    const fallback = await whole();
    const chat = new Chat(primary, fallback);
    const read = await chat.stream();
    expect(textOf(read)).toEqual(texts(40));
    expect(read.error).toBeInstanceOf(TypeError);
    // No other provider continues the stream, and its true ending is observed.
    expect(await fallback.seen()).toHaveLength(0);
    expect(chat.endings).toHaveLength(1);
    expect(["server_error", "timeout"]).toContain(chat.endings[0]!.status);
    expect(chat.limiter.providerHealth("primary")).toBeLessThan(1);
    expect(chat.inFlight).toBe(0);
  });

  it("S08: an incomplete ending is detected by the reader and thrown as the error of the reader", async () => {
    const primary = await servers.upstream({ reply: streamed(...tokens(0, 40)) });
    const chat = new Chat(primary, await whole());
    const read = await chat.stream();
    expect(textOf(read)).toEqual(texts(40));
    expect(read.error).toBeInstanceOf(CutShort);
    expect(chat.endings.map(({ status }) => status)).not.toContain("success");
    await sleep(STILL_IN_WORK_MS);
    expect(chat.inFlight).toBe(0);
  });

  it("S08: if the stream is cut before the first token, another provider answers in full", async () => {
    const primary = await servers.upstream({ reply: streamed({ waitMs: 20 }, { cut: "reset" }) });
    const read = await new Chat(primary, await whole()).stream();
    expect(read.provider).toBe("fallback");
    expect(read.error).toBeNull();
    expect(textOf(read)).toEqual(texts(60));
  });
});

describe.concurrent("S09: the stream stalls for 30 s", () => {
  // Original: the stream ends within 45 s. Factor 1/10; silence between chunks can take 5 s.
  const SECOND_MS = 100;

  it("S09: a stalled stream ends with an error and closes its connection", async () => {
    const primary = await servers.upstream({
      reply: streamed(...tokens(0, 20), { waitMs: 30 * SECOND_MS }, ...tokens(20, 60), finish("stop"), DONE),
    });
    const chat = new Chat(primary, await whole());
    const [ms, read] = await timed(chat.stream({ chunkTimeoutMs: 5 * SECOND_MS }));
    expect(ms).toBeLessThan(45 * SECOND_MS);
    expect(textOf(read)).toEqual(texts(20));
    expect(read.error).toBeInstanceOf(Error);
    expect(chat.endings).toEqual([{ provider: "primary", status: "timeout" }]);
    expect(await primary.ended()).toMatchObject([{ ending: "left" }]);
  });

  it("S09: without chunkTimeoutMs the answer is complete, however long it takes", async () => {
    const primary = await servers.upstream({
      reply: streamed(...tokens(0, 20), { waitMs: 30 * SECOND_MS }, ...tokens(20, 60), finish("stop"), DONE),
    });
    const chat = new Chat(primary);
    const read = await chat.stream();
    expect(read.error).toBeNull();
    expect(textOf(read)).toEqual(texts(60));
    expect(chat.endings).toEqual([{ provider: "primary", status: "success" }]);
  });
});

describe.concurrent("S10: a chunk that is not JSON", () => {
  // Original: a full answer or a clean error; no crash and no endless wait.
  const garbage = { write: 'data: {"choices": [\n\n' };

  it("S10: the error of the reader is thrown unchanged, after the chunks before it", async () => {
    const primary = await servers.upstream({ reply: streamed(...tokens(0, 9), garbage, ...tokens(10, 60), DONE) });
    const fallback = await whole();
    const chat = new Chat(primary, fallback);
    const read = await chat.stream();
    expect(textOf(read)).toEqual(texts(9));
    expect(read.error).toBeInstanceOf(SyntaxError);
    // It could also be a defect of the reader, so health does not change.
    expect(chat.limiter.providerHealth("primary")).toBe(1);
    expect(await fallback.seen()).toHaveLength(0);
    await sleep(STILL_IN_WORK_MS);
    expect(chat.inFlight).toBe(0);
  });

  it("S10: a program that classifies the error itself is served by another provider before the first chunk", async () => {
    const primary = await servers.upstream({ reply: streamed(garbage, ...tokens(1, 60), DONE) });
    const chat = new Chat(primary, await whole());
    const read = await chat.stream({
      classify: (result) => (!result.ok && result.error instanceof SyntaxError ? "server_error" : undefined),
    });
    expect(tried(read.attempts)[0]).toBe("primary: server_error");
    expect(read.provider).toBe("fallback");
    expect(textOf(read)).toEqual(texts(60));
  });
});

describe.concurrent("S11: no [DONE]", () => {
  // Original: the answer is final within 8 s of its last token. Factor 1/4.
  const SECOND_MS = 250;

  it("S11: an answer without [DONE] is complete if the response ends", async () => {
    const primary = await servers.upstream({ reply: streamed(...tokens(0, 60), finish("stop")) });
    const chat = new Chat(primary);
    const [ms, read] = await timed(chat.stream());
    expect(ms).toBeLessThan(8 * SECOND_MS);
    expect(read.error).toBeNull();
    expect(textOf(read)).toEqual(texts(60));
    expect(chat.endings).toEqual([{ provider: "primary", status: "success" }]);
  });

  it("S11: with an open connection a reader that stops at the finish reason gets the whole answer", async () => {
    const primary = await servers.upstream({
      reply: streamed(...tokens(0, 60), finish("stop"), { waitMs: 30 * SECOND_MS }),
    });
    const chat = new Chat(primary);
    const [ms, read] = await timed(chat.stream({}, piecesUntilFinished));
    expect(ms).toBeLessThan(8 * SECOND_MS);
    expect(read.error).toBeNull();
    expect(textOf(read)).toEqual(texts(60));
    expect(chat.endings).toEqual([{ provider: "primary", status: "success" }]);
    expect(chat.inFlight).toBe(0);
    expect(await primary.ended()).toMatchObject([{ ending: "left" }]);
  });

  it("S11: with an open connection chunkTimeoutMs ends a reader that waits for [DONE]", async () => {
    const primary = await servers.upstream({
      reply: streamed(...tokens(0, 60), finish("stop"), { waitMs: 30 * SECOND_MS }),
    });
    const chat = new Chat(primary);
    const [ms, read] = await timed(chat.stream({ chunkTimeoutMs: 2 * SECOND_MS }));
    expect(ms).toBeLessThan(8 * SECOND_MS);
    // No received chunk is lost.
    expect(textOf(read)).toEqual(texts(60));
    expect(read.pieces.at(-1)!.finishReason).toBe("stop");
    expect(read.error).toBeInstanceOf(Error);
    await sleep(STILL_IN_WORK_MS);
    expect(chat.inFlight).toBe(0);
  });
});
