// Calls of routed models without a stream: failover, usage, reported limits, errors, aborts, needs.
import { describe, expect, it } from "vitest";
import { routeModel } from "../../../src/ai-sdk/index.ts";
import { NoAvailableProviders } from "../../../src/index.ts";
import { ANSWER, apiError, brokenConnection, languageModel, modelFixture } from "../../support/ai-sdk/models.ts";
import { eventually } from "../../support/http/fetch-fixture.ts";

const prompt = [{ role: "user", content: [{ type: "text", text: "x".repeat(400) }] }];
const call = (more: object = {}) => ({ prompt, ...more }) as never;
type Model = ReturnType<typeof languageModel>;
const rejection = (promise: PromiseLike<unknown>) =>
  promise.then(
    () => expect.fail("it resolved"),
    (error: unknown) => error,
  );

describe("doGenerate", () => {
  it.each([
    ["429", apiError(429), "rate_limited"],
    ["529", apiError(529), "overloaded"],
    ["500", apiError(500), "server_error"],
    ["401", apiError(401), "unauthorized"],
    ["a dropped connection", brokenConnection(), "server_error"],
    ["a dropped connection in an error of the AI SDK", apiErrorOf(brokenConnection()), "server_error"],
    ["a context that is too long", apiError(400, {}, { error: { code: "context_length_exceeded" } }), "unsuitable"],
  ])("%s moves the call to the next provider", async (_, error, status) => {
    const { limiter, endings } = modelFixture();
    const a = languageModel("a", () => Promise.reject(error));
    const b = languageModel("b", () => ANSWER);
    const result = await routeModel(limiter, "chat", { a, b }).doGenerate(call());
    expect(endings).toEqual([`a ${status}`, "b success"]);
    expect(result).toEqual({ ...ANSWER, providerMetadata: { grateLimiter: { provider: "b", attempts: 2 } } });
  });

  it("a 400 is thrown untouched, and no other provider is asked", async () => {
    const { limiter, endings } = modelFixture();
    const error = apiError(400);
    const b = languageModel("b", () => ANSWER);
    const model = routeModel(limiter, "chat", { a: languageModel("a", () => Promise.reject(error)), b });
    expect(await rejection(model.doGenerate(call()))).toBe(error);
    expect(b.calls.length).toBe(0);
    expect(endings).toEqual(["a client_error"]);
  });

  it("if all fail, the error is no error that the AI SDK repeats, and has the last one as its cause", async () => {
    const { limiter } = modelFixture();
    const last = apiError(503);
    const a = languageModel("a", () => Promise.reject(apiError(401)));
    const model = routeModel(
      limiter,
      "chat",
      { a, b: languageModel("b", () => Promise.reject(last)) },
      { maxWaitMs: 0 },
    );
    const error = await rejection(model.doGenerate(call()));
    expect(NoAvailableProviders.is(error)).toBe(true);
    expect((error as Error).cause).toBe(last);
    expect(error).not.toHaveProperty("isRetryable");
  });

  it("synchronous throws and strange results of a model reach the caller, and leave nothing in flight", async () => {
    const fixture = modelFixture(["a"]);
    const mistake = new RangeError("a mistake");
    const thrower = languageModel("a", () => ANSWER, {
      doGenerate: () => {
        throw mistake;
      },
    });
    expect(await rejection(routeModel(fixture.limiter, "chat", { a: thrower }).doGenerate(call()))).toBe(mistake);
    for (const strange of [undefined, null, 5, {}]) {
      const model = routeModel(fixture.limiter, "chat", { a: languageModel("a", () => strange as never) });
      expect(await model.doGenerate(call())).toMatchObject({ providerMetadata: { grateLimiter: { provider: "a" } } });
    }
    // A lease that ends as cancelled keeps its place for a moment, because the provider may still work.
    await eventually(() => fixture.inFlight === 0);
  });

  it("the signal of the caller aborts the call of the model", async () => {
    const fixture = modelFixture();
    const controller = new AbortController();
    const a = languageModel(
      "a",
      ({ abortSignal }) =>
        new Promise((_, reject) => abortSignal!.addEventListener("abort", () => reject(abortSignal!.reason))),
    );
    const model = routeModel(fixture.limiter, "chat", { a, b: a });
    const pending = rejection(model.doGenerate(call({ abortSignal: controller.signal })));
    await Promise.resolve();
    controller.abort();
    expect(((await pending) as Error).name).toBe("AbortError");
    expect(a.calls.length).toBeLessThanOrEqual(1);
    expect(fixture.endings.every((ending) => ending === "a cancelled")).toBe(true);
  });

  it("a model that never ends is left after attemptTimeoutMs", async () => {
    const fixture = modelFixture();
    const a = languageModel("a", () => new Promise(() => {}));
    const model = routeModel(
      fixture.limiter,
      "chat",
      { a, b: languageModel("b", () => ANSWER) },
      { attemptTimeoutMs: 20 },
    );
    expect(await model.doGenerate(call())).toMatchObject({ providerMetadata: { grateLimiter: { provider: "b" } } });
    expect(fixture.endings).toEqual(["a cancelled", "b success"]);
    expect(a.calls[0]!.abortSignal!.aborted).toBe(true);
  });

  it("all options of the call reach the model, and each attempt gets its own object", async () => {
    const { limiter } = modelFixture();
    const options = {
      maxOutputTokens: 9,
      temperature: 0,
      providerOptions: { openai: { user: "u" } },
      headers: { "x-a": "1" },
    };
    const a = languageModel("a", (given) => {
      (given as { temperature?: number }).temperature = 1;
      throw apiError(503);
    });
    const b = languageModel("b", () => ANSWER);
    await routeModel(limiter, "chat", { a, b }).doGenerate(call(options));
    expect(b.calls[0]).toMatchObject({ ...options, prompt });
  });

  it("metadata of the vendor stays", async () => {
    const { limiter } = modelFixture(["a"]);
    const a = languageModel("a", () => ({ ...ANSWER, providerMetadata: { openai: { id: 1 } } }));
    const { providerMetadata } = (await routeModel(limiter, "chat", { a }).doGenerate(call())) as {
      providerMetadata: object;
    };
    expect(providerMetadata).toEqual({ openai: { id: 1 }, grateLimiter: { provider: "a", attempts: 1 } });
  });
});

describe("amounts", () => {
  it.each([
    ["version 3 and 4", { inputTokens: { total: 12, cacheRead: 10 }, outputTokens: { total: 34 } }, [12, 34]],
    ["version 2", { inputTokens: 12, outputTokens: 34, totalTokens: 46 }, [12, 34]],
    ["an embedding", { tokens: 7 }, [7, 0]],
    // Reserved: a quarter of 400 characters, of the role and of the type, and at most 50.
    ["no usage", undefined, [102, 50]],
    ["usage without numbers", { inputTokens: { total: undefined }, outputTokens: { total: undefined } }, [102, 50]],
    ["NaN", { tokens: Number.NaN }, [102, 50]],
  ])("usage of %s is counted", async (_, usage, expected) => {
    const fixture = modelFixture(["a"]);
    const a = languageModel("a", () => ({ ...ANSWER, usage }) as never);
    await routeModel(fixture.limiter, "chat", { a }).doGenerate(call({ maxOutputTokens: 50 }));
    expect(fixture.used("a")).toEqual(expected);
    expect(fixture.limiter.metrics.invalidUsages).toBe(0);
  });

  it.each([
    ["inputTokens", { inputTokens: { total: 12, cacheRead: 10 }, outputTokens: { total: 1 } }],
    ["cachedInputTokens", { inputTokens: 12, cachedInputTokens: 10, outputTokens: 1 }],
  ])("cached tokens in %s are left out of a quota that does not count them", async (_, usage) => {
    const quota = { dimension: "input_tokens", limit: 1_000, window: "minute", cachedInput: "excluded" } as const;
    const { limiter } = modelFixture([], {
      providers: [{ name: "a", quotas: [quota] }],
      capabilities: { chat: ["a"] },
    });
    const a = languageModel("a", () => ({ ...ANSWER, usage }));
    await routeModel(limiter, "chat", { a }).doGenerate(call());
    expect(limiter.remainingQuota("a", "input_tokens")).toBe(998);
  });

  it.each([
    ["texts of messages, their roles and types", { prompt }, 102],
    ["names and schemas of tools", { prompt: [], tools: [{ name: "abcd", inputSchema: { type: "obje" } }] }, 2],
    ["values to embed", { values: ["abcd", "é".repeat(8)] }, 3],
    ["a text to speak", { text: "abcdefgh" }, 2],
    [
      "a file, whatever its size",
      { prompt: [{ content: [{ mediaType: "image/png", data: "x".repeat(1e6) }] }] },
      1_000,
    ],
    ["bytes", { prompt: [{ content: [{ data: new Uint8Array(1e6) }] }] }, 1_000],
    [
      "options for providers, which do not count",
      { prompt: [{ content: "abcd", providerOptions: { a: "x".repeat(99) } }] },
      1,
    ],
    ["a prompt that contains itself", { prompt: selfContained() }, 20],
  ])("reserved input: %s", async (_, options, inputTokens) => {
    const { limiter } = modelFixture(["a"]);
    let reserved: number | undefined;
    limiter.on("leaseSettled", ({ lease }) => {
      reserved = lease.reserved.inputTokens;
    });
    const a = languageModel("a", () => ({ ...ANSWER, usage: undefined }) as never);
    await routeModel(limiter, "chat", { a }).doGenerate(options as never);
    expect(reserved).toBe(inputTokens);
  });

  it("needs replaces the amounts that it states, and sets the place in the queue", async () => {
    const { limiter } = modelFixture(["a"]);
    const labels: unknown[] = [];
    limiter.on("attemptStarted", (event) => labels.push(event.label));
    let reserved: object = {};
    limiter.on("leaseSettled", ({ lease }) => {
      reserved = lease.reserved;
    });
    const needs = () => ({ inputTokens: 5, label: "mine", priority: 3, fairnessKey: "tenant" });
    const a = languageModel("a", () => ANSWER);
    await routeModel(limiter, "chat", { a }, { needs }).doGenerate(call({ maxOutputTokens: 50 }));
    expect(reserved).toMatchObject({ inputTokens: 5, outputTokens: 50 });
    expect(labels).toEqual(["mine"]);
  });

  it("needs can leave out providers, together with supports", async () => {
    const { limiter } = modelFixture(["a", "b", "c"]);
    const [a, b, c] = ["a", "b", "c"].map((name) => languageModel(name, () => ANSWER)) as [Model, Model, Model];
    const only = ({ one }: { one?: unknown }) => (one === true ? ["b"] : undefined);
    const needs = (options: object) => ({ only: only(options) });
    const model = routeModel(limiter, "chat", { a, b, c }, { needs, supports: (provider) => provider !== "a" });
    await model.doGenerate(call({ one: true }));
    await model.doGenerate(call());
    expect([a, b, c].map(({ calls }) => calls.length)).toEqual([0, 2, 0]);
    const none = routeModel(
      limiter,
      "chat",
      { a, b, c },
      { needs: () => ({ only: ["b"] }), supports: (p) => p !== "b" },
    );
    expect(NoAvailableProviders.is(await rejection(none.doGenerate(call())))).toBe(true);
  });

  it.each([
    ["a result", true],
    ["an error", false],
  ])("limits in the headers of %s are reported in the dialect of the vendor", async (_, isResult) => {
    const { limiter } = modelFixture([], {
      providers: [{ name: "a", limits: { tpm: 20_000 } }],
      capabilities: { chat: ["a"] },
    });
    const headers = {
      "openai-organization": "o",
      "x-ratelimit-limit-tokens": "18000",
      "x-ratelimit-remaining-tokens": "17000",
    };
    const a = languageModel("a", () => {
      if (!isResult) throw apiError(400, headers);
      return { ...ANSWER, response: { headers } };
    });
    const model = routeModel(limiter, "chat", { a });
    await Promise.resolve(model.doGenerate(call())).catch(() => {});
    expect(limiter.forecast("a")?.[0]?.ceiling).toBe(18_000);
  });
});

describe("supports", () => {
  it("leaves out the providers that cannot serve the call", async () => {
    const { limiter } = modelFixture();
    const a = languageModel("a", () => ANSWER);
    const b = languageModel("b", () => ANSWER);
    const seen: unknown[] = [];
    const model = routeModel(
      limiter,
      "chat",
      { a, b },
      {
        supports: (provider, options) => {
          seen.push(provider);
          return provider === "b" || (options as { tools?: unknown }).tools === undefined;
        },
      },
    );
    await model.doGenerate(call());
    await model.doGenerate(call({ tools: [] }));
    expect([a.calls.length, b.calls.length]).toEqual([1, 1]);
    expect(seen).toEqual(["a", "b", "a", "b"]);
  });

  it("a call that no model supports is refused immediately", async () => {
    const { limiter } = modelFixture(["a"]);
    const model = routeModel(limiter, "chat", { a: languageModel("a", () => ANSWER) }, { supports: () => false });
    expect(NoAvailableProviders.is(await rejection(model.doGenerate(call())))).toBe(true);
  });

  it("its error and an answer that is no boolean reject the call", async () => {
    const { limiter } = modelFixture(["a"]);
    const a = languageModel("a", () => ANSWER);
    const later = routeModel(limiter, "chat", { a }, { supports: (async () => false) as never });
    expect(String(await rejection(later.doGenerate(call())))).toBe(
      "TypeError: routeModel: supports: expected true or false, got object",
    );
    const mistake = new Error("mine");
    const thrower = routeModel(
      limiter,
      "chat",
      { a },
      {
        supports: () => {
          throw mistake;
        },
      },
    );
    expect(await rejection(thrower.doGenerate(call()))).toBe(mistake);
    expect(a.calls.length).toBe(0);
  });
});

function apiErrorOf(cause: Error): Error {
  return Object.assign(new Error("Cannot connect to API: terminated", { cause }), { name: "AI_APICallError" });
}

function selfContained(): object {
  const message: { [key: string]: unknown } = { text: "abcd" };
  message["self"] = message;
  return [message];
}
