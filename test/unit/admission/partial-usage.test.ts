// A settled amount is the reported usage or else the estimate, each part on its own: reported input tokens say nothing
// about output tokens.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type Lease, MockClock, type SelectOptions, type Usage } from "../../../src/index.ts";

function partialFixture() {
  const limiter = new GrateLimiter<string>({
    clock: new MockClock(),
    providers: [
      {
        name: "a",
        limits: { tpm: 100_000, itpm: 100_000, otpm: 100_000, usdPerDay: 1 },
        price: { usdPerMillionInputTokens: 10, usdPerMillionOutputTokens: 20 },
      },
    ],
    capabilities: { chat: ["a"] },
  });
  return {
    take(needs?: SelectOptions): Lease {
      const answer = limiter.tryAcquire("chat", needs);
      if (!answer.granted) throw new Error("refused");
      return answer;
    },
    /** Tokens, input tokens, output tokens, micro-USD. */
    taken: () => limiter.forecast("a")!.map(({ used, inFlight }) => used + inFlight),
    limiter,
  };
}

describe("usage that is reported in part", () => {
  it.each<[what: string, needs: SelectOptions, reported: Usage, taken: number[]]>([
    ["the output of both", { inputTokens: 900, outputTokens: 300 }, { outputTokens: 200 }, [1_100, 900, 200, 13_000]],
    ["the input of both", { inputTokens: 900, outputTokens: 300 }, { inputTokens: 1_000 }, [1_300, 1_000, 300, 16_000]],
    ["the output of a whole", { tokens: 1_200 }, { outputTokens: 200 }, [1_200, 1_000, 200, 14_000]],
    ["the input of a whole", { tokens: 1_200 }, { inputTokens: 900 }, [1_200, 900, 300, 15_000]],
    ["more than the whole", { tokens: 1_200 }, { outputTokens: 1_500 }, [1_500, 0, 1_500, 30_000]],
    ["both", { tokens: 1_200 }, { inputTokens: 10, outputTokens: 1 }, [11, 10, 1, 120]],
    ["the whole", { inputTokens: 900, outputTokens: 300 }, { tokens: 50 }, [50, 50, 50, 1_000]],
    ["nothing", { inputTokens: 900, outputTokens: 300 }, {}, [1_200, 900, 300, 15_000]],
    ["0", { inputTokens: 900, outputTokens: 300 }, { outputTokens: 0 }, [900, 900, 0, 9_000]],
  ])("partial usage is completed by the estimate: %s", (_, needs, reported, taken) => {
    const { take, taken: now } = partialFixture();
    const lease = take(needs);
    lease.report(reported);
    expect(now()).toEqual(taken);
    lease.settle({ usage: reported });
    expect(now()).toEqual(taken);
  });

  it("parts can be reported one after the other, as a stream does", () => {
    const { take, taken } = partialFixture();
    const lease = take({ inputTokens: 1_000, outputTokens: 4_000 });
    lease.report({ inputTokens: 900 });
    expect(taken().slice(0, 3)).toEqual([4_900, 900, 4_000]);
    lease.report({ outputTokens: 150 });
    expect(taken().slice(0, 3)).toEqual([1_050, 900, 150]);
    lease.settle();
    expect(taken().slice(0, 3)).toEqual([1_050, 900, 150]);
  });

  it("a reported part replaces that part of a learned estimate", () => {
    const { take, taken, limiter } = partialFixture();
    const usage = { inputTokens: 500, outputTokens: 100 };
    limiter.observe({ provider: "a", capability: "chat", usage, outcome: { status: 200 } });
    const lease = take();
    lease.settle({ usage: { outputTokens: 40 } });
    expect(taken().slice(0, 3)).toEqual([600 + 540, 1_000, 140]);
  });

  it("a request without any estimate counts exactly the reported parts", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "a", limits: { tpm: 100_000 } }],
      capabilities: { embed: ["a"] },
    });
    const answer = limiter.tryAcquire("embed", { inputTokens: 80 });
    if (answer.granted) answer.settle({ usage: { inputTokens: 70 } });
    expect(limiter.remainingQuota("a", "tokens")).toBe(99_930);
  });
});
