// Streams of routed models: failover before content, held-back parts, errors, aborts, streams that are left or never end.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { routeModel } from "../../../src/ai-sdk/index.ts";
import { MockClock, NoAvailableProviders } from "../../../src/index.ts";
import {
  apiError,
  brokenConnection,
  type Call,
  END,
  FINISH,
  languageModel,
  modelFixture,
  type Part,
  partsOf,
  START,
  STOP,
  streamOf,
  text,
  textOf,
  USAGE,
} from "../../support/ai-sdk/models.ts";
import { eventually } from "../../support/http/fetch-fixture.ts";

const call = (more: object = {}) => ({ prompt: [], ...more }) as never;
const GOOD = [...START, text("good"), ...END];
const metadata = (provider: string, attempts: number) => ({
  providerMetadata: { grateLimiter: { provider, attempts } },
});
const servedBy = (provider: string, attempts: number) => [
  ...START,
  text("good"),
  END[0],
  { ...FINISH, ...metadata(provider, attempts) },
];
const errorPart = (error: unknown): Part => ({ type: "error", error });
const rejection = (promise: PromiseLike<unknown>) =>
  promise.then(
    () => expect.fail("it resolved"),
    (error: unknown) => error,
  );
const forever = () => new Promise<never>(() => {});

describe("before content", () => {
  it.each<readonly [string, readonly (Part | Error)[], string]>([
    ["a stream that breaks at its start", [brokenConnection()], "server_error"],
    ["a stream that breaks after held-back parts", [...START, text(""), brokenConnection()], "server_error"],
    ["an error part with a known code", [...START, errorPart({ type: "overloaded_error" })], "overloaded"],
    ["an error part of the AI SDK", [...START, errorPart(apiError(429))], "rate_limited"],
    ["an error part in words of its own", [...START, errorPart("something odd")], "server_error"],
    ["an end without content", START, "server_error"],
    ["no parts", [], "server_error"],
    ["a finish for an error", [...START, { ...FINISH, finishReason: { unified: "error" } }], "server_error"],
    ["a finish for an error, version 2", [...START, { ...FINISH, finishReason: "error" }], "server_error"],
    [
      "a finish without reason and usage",
      [{ type: "finish", finishReason: { unified: "other" }, usage: {} }],
      "server_error",
    ],
    [
      "a tool call that has only begun",
      [{ type: "tool-input-start", id: "1", toolName: "t" }, brokenConnection()],
      "server_error",
    ],
    // Anthropic's model of version 4 begins each stream with it.
    [
      "a custom part",
      [...START, { type: "custom", kind: "anthropic.message_start" }, brokenConnection()],
      "server_error",
    ],
    [
      "an empty thought",
      [{ type: "reasoning-start", id: "1" }, { type: "reasoning-end", id: "1" }, brokenConnection()],
      "server_error",
    ],
  ])("%s moves the call to the next provider", async (_, parts, status) => {
    const fixture = modelFixture();
    const a = languageModel("a", () => parts);
    const result = await routeModel(fixture.limiter, "chat", { a, b: languageModel("b", () => GOOD) }).doStream(call());
    expect(await partsOf(result)).toEqual(servedBy("b", 2));
    expect(result).toMatchObject({ response: { headers: { "x-of": "b" } } });
    expect(fixture.endings).toEqual([`a ${status}`, "b success"]);
    await eventually(() => fixture.inFlight === 0);
  });

  it("a rejected doStream moves the call, and an invalid request does not", async () => {
    const { limiter } = modelFixture();
    const b = languageModel("b", () => GOOD);
    const a = languageModel("a", () => Promise.reject(apiError(529)));
    expect(await partsOf(await routeModel(limiter, "chat", { a, b }).doStream(call()))).toEqual(servedBy("b", 2));
    const error = apiError(400);
    const invalid = languageModel("a", () => Promise.reject(error));
    expect(await rejection(routeModel(modelFixture().limiter, "chat", { a: invalid, b }).doStream(call()))).toBe(error);
    expect(b.calls.length).toBe(1);
  });

  it("an error part for an invalid request ends the call", async () => {
    const { limiter, endings } = modelFixture();
    const cause = { error: { code: "invalid_prompt" } };
    const a = languageModel("a", () => [...START, errorPart(cause)]);
    const b = languageModel("b", () => GOOD);
    expect(await rejection(routeModel(limiter, "chat", { a, b }).doStream(call()))).toMatchObject({
      statusCode: 400,
      cause,
    });
    expect(endings).toEqual(["a client_error"]);
  });

  it("an answer that is empty is an answer", async () => {
    const { limiter, endings } = modelFixture();
    const a = languageModel("a", () => [...START, FINISH]);
    const model = routeModel(limiter, "chat", { a, b: languageModel("b", () => GOOD) });
    expect(await partsOf(await model.doStream(call()))).toEqual([...START, { ...FINISH, ...metadata("a", 1) }]);
    expect(endings).toEqual(["a success"]);
  });

  it("if all fail, the call is rejected with the last error as the cause", async () => {
    const { limiter } = modelFixture();
    const last = brokenConnection();
    const model = routeModel(
      limiter,
      "chat",
      { a: languageModel("a", () => [errorPart("odd")]), b: languageModel("b", () => [...START, last]) },
      { maxAttempts: 2 },
    );
    const error = await rejection(model.doStream(call()));
    expect(NoAvailableProviders.is(error)).toBe(true);
    expect((error as Error).cause).toBe(last);
  });

  it("a model without a stream is a mistake of the program", async () => {
    const fixture = modelFixture();
    for (const strange of [undefined, null, {}, { stream: 5 }, { stream: [] }]) {
      const a = languageModel("a", () => strange as never);
      const model = routeModel(fixture.limiter, "chat", { a, b: languageModel("b", () => GOOD) });
      expect(String(await rejection(model.doStream(call())))).toBe('TypeError: the model of "a" returned no stream');
    }
  });

  it("pings for ever are dropped, and the call ends at attemptTimeoutMs", async () => {
    const fixture = modelFixture();
    let pings = 0;
    const stream = () =>
      new ReadableStream({
        async pull(controller) {
          pings++;
          await new Promise((resolve) => setTimeout(resolve, 1));
          controller.enqueue({ type: "ping" });
        },
      });
    const a = languageModel("a", () => ({ stream: stream() }));
    const model = routeModel(
      fixture.limiter,
      "chat",
      { a, b: languageModel("b", () => GOOD) },
      { attemptTimeoutMs: 30 },
    );
    expect(textOf(await partsOf(await model.doStream(call())))).toBe("good");
    const later = pings;
    expect(later).toBeGreaterThan(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    // The stream was cancelled, so nothing is read any more.
    expect(pings - later).toBeLessThanOrEqual(1);
  });

  it("at most 1,000 parts are held back", async () => {
    const { limiter } = modelFixture(["a"]);
    const raw = Array.from({ length: 1_500 }, (_, rawValue): Part => ({ type: "raw", rawValue }));
    const model = routeModel(limiter, "chat", { a: languageModel("a", () => [...raw, forever as never]) });
    const { stream } = (await model.doStream(call())) as { stream: ReadableStream<unknown> };
    const reader = stream.getReader();
    for (const part of raw) expect((await reader.read()).value).toEqual(part);
    await reader.cancel();
  });

  it("a doStream that resolves after its time-out is cancelled, and its response is not that of the answer", async () => {
    const fixture = modelFixture();
    let resolve: (value: object) => void = () => {};
    let cancelled = 0;
    const a = languageModel("a", () => new Promise<never>((done) => (resolve = done as never)));
    const late = { stream: streamOf(GOOD, {}, () => cancelled++), response: { headers: { "x-of": "late" } } };
    const b = languageModel("b", () => {
      resolve(late);
      return GOOD;
    });
    const model = routeModel(fixture.limiter, "chat", { a, b }, { attemptTimeoutMs: 20 });
    const result = await model.doStream(call());
    expect(result).toMatchObject({ response: { headers: { "x-of": "b" } } });
    expect(await partsOf(result)).toEqual(servedBy("b", 2));
    await eventually(() => cancelled === 1);
    await eventually(() => fixture.inFlight === 0);
  });

  it("a doStream that rejects after its time-out is no unhandled rejection", async () => {
    const { limiter } = modelFixture();
    let reject: (error: Error) => void = () => {};
    const a = languageModel("a", () => new Promise<never>((_, fail) => (reject = fail)));
    const model = routeModel(limiter, "chat", { a, b: languageModel("b", () => GOOD) }, { attemptTimeoutMs: 20 });
    expect(textOf(await partsOf(await model.doStream(call())))).toBe("good");
    reject(new Error("late"));
    await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

describe("after content", () => {
  it("a stream that breaks fails with its own error, and no other provider is asked", async () => {
    const fixture = modelFixture();
    const error = brokenConnection();
    const b = languageModel("b", () => GOOD);
    const a = languageModel("a", () => [...START, text("half"), error]);
    const parts = await partsOf(await routeModel(fixture.limiter, "chat", { a, b }).doStream(call()));
    expect(parts).toEqual([...START, text("half"), error]);
    expect(b.calls.length).toBe(0);
    expect(fixture.endings).toEqual(["a server_error"]);
  });

  it.each([
    ["a known error", { type: "overloaded_error" }, "overloaded"],
    ["an unknown error", { odd: true }, "server_error"],
  ])("an error part is handed on and ends the lease: %s", async (_, error, status) => {
    const fixture = modelFixture();
    const tail = [errorPart(error), { ...FINISH, finishReason: { unified: "error" } }];
    const a = languageModel("a", () => [...START, text("half"), ...tail]);
    const model = routeModel(fixture.limiter, "chat", { a, b: languageModel("b", () => GOOD) });
    const parts = await partsOf(await model.doStream(call()));
    expect(parts.slice(0, -1)).toEqual([...START, text("half"), errorPart(error)]);
    expect(fixture.endings).toEqual([`a ${status}`]);
    expect(fixture.limiter.metrics.unrecognizedOutcomes).toBe(0);
  });

  it("an end without finish is a failure of the provider", async () => {
    const fixture = modelFixture(["a"]);
    const model = routeModel(fixture.limiter, "chat", { a: languageModel("a", () => [...START, text("half")]) });
    expect(await partsOf(await model.doStream(call()))).toEqual([...START, text("half")]);
    expect(fixture.endings).toEqual(["a server_error"]);
  });

  it("the usage of the finish is counted, and without usage the stated amounts stay", async () => {
    const options = { prompt: "x".repeat(400), maxOutputTokens: 50 };
    for (const [usage, expected] of [
      [USAGE, [12, 34]],
      [{ inputTokens: 12, outputTokens: 34, totalTokens: 46, cachedInputTokens: 5 }, [12, 34]],
      [{ inputTokens: {}, outputTokens: {} }, [100, 50]],
      [undefined, [100, 50]],
    ] as const) {
      const fixture = modelFixture(["a"]);
      const finish = { type: "finish", finishReason: STOP, usage };
      const model = routeModel(fixture.limiter, "chat", { a: languageModel("a", () => [text("x"), finish]) });
      await partsOf(await model.doStream(call(options)));
      expect(fixture.used("a")).toEqual(expected);
      expect(fixture.endings).toEqual(["a success"]);
      expect(fixture.limiter.metrics.invalidUsages).toBe(0);
    }
  });

  it("an abort in mid-stream ends the stream with its reason, and aborts the request", async () => {
    const fixture = modelFixture();
    const controller = new AbortController();
    const a = languageModel("a", () => [...START, text("half"), forever]);
    const b = languageModel("b", () => GOOD);
    const model = routeModel(fixture.limiter, "chat", { a, b });
    const result = await model.doStream(call({ abortSignal: controller.signal }));
    const pending = partsOf(result);
    await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    const parts = await pending;
    expect((parts.at(-1) as Error).name).toBe("AbortError");
    expect(a.calls[0]!.abortSignal!.aborted).toBe(true);
    expect(a.log.cancelled).toBe(1);
    expect(fixture.endings).toEqual(["a cancelled"]);
    expect(b.calls.length).toBe(0);
  });

  it("a consumer that cancels ends the request", async () => {
    const fixture = modelFixture();
    const a = languageModel("a", () => [...START, text("half"), forever]);
    const model = routeModel(fixture.limiter, "chat", { a, b: a });
    const { stream } = (await model.doStream(call())) as { stream: ReadableStream<unknown> };
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel();
    expect(a.log.cancelled).toBe(1);
    expect(a.calls[0]!.abortSignal!.aborted).toBe(true);
    expect(fixture.endings).toEqual(["a cancelled"]);
  });

  it("a stream that is not read ends its lease if it is short, and is not read ahead beyond 256 parts", async () => {
    const fixture = modelFixture(["a"]);
    const short = languageModel("a", () => GOOD);
    await routeModel(fixture.limiter, "chat", { a: short }).doStream(call());
    await eventually(() => fixture.endings.length === 1);
    expect(fixture.endings).toEqual(["a success"]);
    let pulled = 0;
    const stream = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(text("x"));
      },
    });
    const endless = routeModel(fixture.limiter, "chat", { a: languageModel("a", () => ({ stream })) });
    const result = (await endless.doStream(call())) as { stream: ReadableStream<unknown> };
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(pulled).toBeGreaterThanOrEqual(256);
    expect(pulled).toBeLessThan(270);
    await result.stream.cancel();
  });

  it("a stream that stops in the middle ends at chunkTimeoutMs", async () => {
    const fixture = modelFixture();
    const a = languageModel("a", () => [...START, text("half"), forever]);
    const model = routeModel(fixture.limiter, "chat", { a, b: a }, { chunkTimeoutMs: 20 });
    const parts = await partsOf(await model.doStream(call()));
    expect((parts.at(-1) as Error).name).toBe("TimeoutError");
    expect(fixture.endings).toEqual(["a timeout"]);
  });
});

describe("many streams", () => {
  it("any mix of good and bad vendors: each stream is one vendor's answer or fails alone, and nothing stays in flight", async () => {
    const kind = fc.constantFrom(
      "good",
      "reject",
      "break early",
      "error early",
      "break late",
      "error late",
      "silent end",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(kind, kind), { minLength: 1, maxLength: 30 }), async (kinds) => {
        const fixture = modelFixture();
        const answer = (vendor: string, index: 0 | 1) => (given: Call) => {
          const id = Number(given["prompt"]);
          const words = ["1", "2", "3"].map((word) => text(`${vendor}${id}.${word} `));
          switch (kinds[id]![index]) {
            case "good":
              return [...START, ...words, ...END];
            case "reject":
              return Promise.reject(apiError(id % 2 ? 429 : 500, id % 2 ? { "retry-after": "0.01" } : {}));
            case "break early":
              return [...START, brokenConnection()];
            case "error early":
              return [...START, errorPart("odd")];
            case "break late":
              return [...START, words[0]!, brokenConnection()];
            case "error late":
              return [...START, words[0]!, errorPart("odd"), FINISH];
            default:
              return START;
          }
        };
        const model = routeModel(
          fixture.limiter,
          "chat",
          { a: languageModel("a", answer("a", 0) as never), b: languageModel("b", answer("b", 1) as never) },
          { maxWaitMs: 0 },
        );
        await Promise.all(
          kinds.map(async (_, id) => {
            const result = await Promise.resolve(model.doStream({ prompt: String(id) } as never)).catch((error) => {
              expect(NoAvailableProviders.is(error)).toBe(true);
              return null;
            });
            if (result === null) return;
            const parts = await partsOf(result);
            const written = textOf(parts);
            const whole = ["a", "b"].map((vendor) => `${vendor}${id}.1 ${vendor}${id}.2 ${vendor}${id}.3 `);
            const hasFailed = parts.some((part) => part instanceof Error || (part as Part).type === "error");
            if (hasFailed) expect([`a${id}.1 `, `b${id}.1 `]).toContain(written);
            else expect(whole).toContain(written);
          }),
        );
        await eventually(() => fixture.inFlight === 0 && fixture.limiter.inspect().oldestLeaseMs === null);
      }),
      { numRuns: 40 },
    );
  });

  it("a MockClock drives the time limits", async () => {
    const clock = new MockClock();
    const fixture = modelFixture(["a", "b"], { clock });
    const a = languageModel("a", () => [...START, forever]);
    const model = routeModel(
      fixture.limiter,
      "chat",
      { a, b: languageModel("b", () => GOOD) },
      { attemptTimeoutMs: 1_000 },
    );
    const pending = model.doStream(call());
    for (let i = 0; i < 20; i++) await Promise.resolve();
    clock.advanceMs(1_000);
    expect(textOf(await partsOf(await pending))).toBe("good");
  });
});
