// Usage in the shapes of real clients.
import { describe, expect, it } from "vitest";
import { runFixture } from "../../support/run-fixture.ts";

const SHAPES: readonly (readonly [client: string, result: object, input: number, output: number])[] = [
  [
    "OpenAI chat",
    {
      usage: {
        ...{ prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
        prompt_tokens_details: { cached_tokens: 64, audio_tokens: 0 },
      },
    },
    100,
    20,
  ],
  [
    "OpenAI responses",
    { usage: { input_tokens: 100, output_tokens: 20, total_tokens: 120, input_tokens_details: {} } },
    100,
    20,
  ],
  [
    "Anthropic",
    {
      usage: {
        ...{ input_tokens: 10, output_tokens: 20, cache_creation_input_tokens: 30, cache_read_input_tokens: 60 },
        server_tool_use: null,
      },
    },
    100,
    20,
  ],
  [
    "Gemini",
    { usageMetadata: { promptTokenCount: 100, candidatesTokenCount: 15, thoughtsTokenCount: 5, totalTokenCount: 120 } },
    100,
    20,
  ],
  ["AI SDK 5", { usage: { inputTokens: 100, outputTokens: 20, totalTokens: 120, cachedInputTokens: 5 } }, 100, 20],
  [
    "a model of the AI SDK",
    { usage: { inputTokens: { total: 100, cacheRead: 5 }, outputTokens: { total: 20 } } },
    100,
    20,
  ],
  ["Mistral", { usage: { promptTokens: 100, completionTokens: 20, totalTokens: 120 } }, 100, 20],
  ["Cohere", { usage: { billedUnits: { inputTokens: 100, outputTokens: 20 }, tokens: { inputTokens: 300 } } }, 100, 20],
  ["Cohere, raw", { meta: { billed_units: { input_tokens: 100, output_tokens: 20 } } }, 100, 20],
  ["Bedrock", { usage: { inputTokens: 40, outputTokens: 20, totalTokens: 120, cacheReadInputTokens: 60 } }, 100, 20],
];

const fixtureOf = () => runFixture([{ name: "a", limits: { itpm: 1_000, otpm: 1_000, tpm: 1_000 } }]);
type Fixture = ReturnType<typeof fixtureOf>;
const counted = ({ limiter }: Fixture) =>
  (["input_tokens", "output_tokens", "tokens"] as const).map((of) => 1_000 - limiter.remainingQuota("a", of)!);

describe.each(SHAPES)("the usage of %s", (_, result, input, output) => {
  const expected = [input, output, input + output];
  const usage = Object.values(result)[0] as object;

  it("is read from the result of run", async () => {
    const fixture = fixtureOf();
    await fixture.limiter.run("chat", async () => result);
    expect(counted(fixture)).toEqual(expected);
    expect(fixture.limiter.metrics.invalidUsages).toBe(0);
  });

  it("is understood by report, settle and observe, as the usage and as the whole result", () => {
    for (const stated of [usage, result]) {
      for (const end of [
        ({ limiter }: Fixture) => {
          const lease = limiter.tryAcquire("chat");
          if (!lease.granted) return;
          lease.report(stated);
          lease.settle();
        },
        ({ limiter }: Fixture) => {
          const lease = limiter.tryAcquire("chat");
          if (lease.granted) lease.settle({ usage: stated });
        },
        ({ limiter }: Fixture) => limiter.observe({ provider: "a", usage: stated, outcome: { status: "success" } }),
      ]) {
        const fixture = fixtureOf();
        end(fixture);
        expect(counted(fixture)).toEqual(expected);
        expect(fixture.limiter.metrics.invalidUsages).toBe(0);
      }
    }
  });
});

describe("a usage that no client states", () => {
  it("a misspelt field is still invalid", () => {
    const fixture = fixtureOf();
    expect(() =>
      fixture.limiter.observe({ provider: "a", usage: { token: 5 } as never, outcome: { status: 200 } }),
    ).toThrow();
    const lease = fixture.limiter.tryAcquire("chat");
    if (lease.granted) lease.report({ token: 5 } as never);
    expect(fixture.limiter.metrics.invalidUsages).toBe(1);
  });

  it.each([
    [{ usage: "high" }],
    [{ usage: null }],
    [{ usage: { used: 5 } }],
    [{ usage: { input_tokens: -1 } }],
    ["text"],
    [null],
  ])("a result %j without a usage is none", async (result) => {
    const fixture = fixtureOf();
    await fixture.limiter.run("chat", async () => result, { tokens: 7, inputTokens: 3, outputTokens: 4 });
    expect(counted(fixture)).toEqual([3, 4, 7]);
    expect(fixture.limiter.metrics.invalidUsages).toBe(0);
  });

  it("what the task or classify reports counts instead of the result, and a stream of the AI SDK is not touched", async () => {
    const result = SHAPES[0]![1];
    const reported = fixtureOf();
    await reported.limiter.run("chat", async ({ lease }) => {
      lease.report({ inputTokens: 1, outputTokens: 2 });
      return result;
    });
    expect(counted(reported)).toEqual([1, 2, 3]);
    const classified = fixtureOf();
    const usage = { inputTokens: 3, outputTokens: 4 };
    await classified.limiter.run("chat", async () => result, { classify: () => ({ usage }) });
    expect(counted(classified)).toEqual([3, 4, 7]);
    const stream = {
      consumeStream() {},
      get usage(): never {
        throw new Error("consumed");
      },
    };
    await fixtureOf().limiter.run("chat", async () => stream);
  });
});
