// One suite for the way in which providers of all dialects count.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DIALECT_NAMES } from "../../src/api/dialect-name.ts";
import { dialectOf } from "../../src/http/dialects/dialects.ts";
import { type DialectName, GrateLimiter, type Lease, MockClock, type ProviderConfig } from "../../src/index.ts";
import { propertyRuns } from "../support/test-effort.ts";

/** Facts that are verified. A dialect that is not listed has the safe value, which counts more. */
const REFUNDS_OUTPUT: readonly DialectName[] = ["anthropic", "gemini"];
const UNCACHED: { readonly [name in DialectName]?: readonly string[] } = {
  anthropic: ["input_tokens"],
  groq: ["tokens", "input_tokens"],
};
const AT_END: readonly DialectName[] = ["anthropic"];

function limiterOf(config: Omit<ProviderConfig, "name">) {
  const clock = new MockClock();
  const options = { clock, providers: [{ name: "a", ...config }], capabilities: { chat: ["a"] } } as const;
  const limiter = new GrateLimiter({ ...options, skewCapMs: 0, scoring: { quota: 1 } });
  const lease = (needs: object): Lease<string> => {
    const taken = limiter.tryAcquire("chat", needs);
    if (!taken.granted) throw new Error("refused");
    return taken;
  };
  return { limiter, clock, lease };
}

it("the dialects of the configuration are those of the headers", () => {
  for (const name of DIALECT_NAMES) expect(dialectOf(name, () => null, "").name).toBe(name);
});

describe.each(DIALECT_NAMES)("a provider with the dialect %s", (dialect) => {
  const charges = !REFUNDS_OUTPUT.includes(dialect);

  it(`${charges ? "charges" : "does not charge"} the most output of a request on arrival, and keeps it`, () => {
    const { limiter, lease } = limiterOf({ dialect, limits: { tpm: 10_000 } });
    const needs = { inputTokens: 100, maxOutputTokens: 1_000 };
    for (const [round, tokens] of [100, 100].entries()) {
      const before = 10_000 - round * (charges ? 1_100 : 150);
      expect(limiter.remainingQuota("a", "tokens")).toBe(before);
      const open = lease(needs);
      if (charges) expect(limiter.remainingQuota("a", "tokens")).toBe(before - 1_100);
      open.settle({ status: "success", usage: { inputTokens: tokens, outputTokens: 50 } });
    }
    expect(limiter.remainingQuota("a", "tokens")).toBe(10_000 - 2 * (charges ? 1_100 : 150));
  });

  it("counts a larger usage than the charged one, and the usage alone if no most output is stated", () => {
    const { limiter, lease } = limiterOf({ dialect, limits: { tpm: 10_000 } });
    const usage = { inputTokens: 100, outputTokens: 500 };
    lease({ inputTokens: 100, maxOutputTokens: 200 }).settle({ status: "success", usage });
    expect(limiter.remainingQuota("a", "tokens")).toBe(9_400);
    lease({ inputTokens: 100 }).settle({ status: "success", usage: { inputTokens: 100, outputTokens: 50 } });
    expect(limiter.remainingQuota("a", "tokens")).toBe(9_250);
    lease({ inputTokens: 100, outputTokens: 30 }).settle({
      status: "success",
      usage: { inputTokens: 100, outputTokens: 9 },
    });
    expect(limiter.remainingQuota("a", "tokens")).toBe(9_141);
  });

  it(`${charges ? "keeps" : "gives back"} the charged output of a request that failed on the way`, () => {
    const { limiter, lease } = limiterOf({ dialect, limits: { tpm: 10_000 } });
    lease({ inputTokens: 100, maxOutputTokens: 1_000 }).settle("server_error");
    expect(limiter.remainingQuota("a", "tokens")).toBe(10_000 - (charges ? 1_100 : 100));
  });

  it("gives back the tokens of a refused request, and counts the request", () => {
    const { limiter, lease } = limiterOf({ dialect, limits: { tpm: 10_000, rpm: 10 } });
    lease({ inputTokens: 100, maxOutputTokens: 1_000 }).settle("rate_limited");
    expect([limiter.remainingQuota("a", "tokens"), limiter.remainingQuota("a", "requests")]).toEqual([10_000, 9]);
  });

  it("counts an unsuitable request as a request", () => {
    const { limiter, lease } = limiterOf({ dialect, limits: { tpm: 10_000, rpm: 10 } });
    lease({ inputTokens: 100, maxOutputTokens: 1_000 }).settle("unsuitable");
    expect([limiter.remainingQuota("a", "tokens"), limiter.remainingQuota("a", "requests")]).toEqual([10_000, 9]);
    limiter.observe({ provider: "a", outcome: { status: "unsuitable" } });
    expect(limiter.remainingQuota("a", "requests")).toBe(8);
  });

  it.each(["tokens", "input_tokens"] as const)(
    "counts cached input in %s as the vendor does, unless told otherwise",
    (dimension) => {
      const limits = dimension === "tokens" ? { tpm: 1_000 } : { itpm: 1_000 };
      const usage = { inputTokens: 100, outputTokens: 0, cachedInputTokens: 80 };
      const leftOf = (config: Omit<ProviderConfig, "name">) => {
        const { limiter, lease } = limiterOf(config);
        lease({ inputTokens: 100, outputTokens: 0 }).settle({ status: "success", usage });
        return limiter.remainingQuota("a", dimension);
      };
      const isExcluded = UNCACHED[dialect]?.includes(dimension) ?? false;
      expect(leftOf({ dialect, limits })).toBe(isExcluded ? 980 : 900);
      const quota = { dimension, limit: 1_000, window: "minute" } as const;
      expect(leftOf({ dialect, quotas: [{ ...quota, cachedInput: "included" }] })).toBe(900);
      expect(leftOf({ dialect, quotas: [{ ...quota, cachedInput: "excluded" }] })).toBe(980);
    },
  );

  it("counts output at the end if the vendor does, also in a later change of the limits", () => {
    const { limiter, clock, lease } = limiterOf({ dialect, limits: { otpm: 1_000 } });
    limiter.updateProvider("a", { limits: { otpm: 500 } });
    const open = lease({ inputTokens: 0, outputTokens: 400 });
    open.headersReceived();
    clock.advanceMs(50_000);
    open.settle({ status: "success", usage: { inputTokens: 0, outputTokens: 400 } });
    clock.advanceMs(20_000);
    expect(limiter.remainingQuota("a", "output_tokens")).toBe(AT_END.includes(dialect) ? 100 : 500);
  });

  it("never has more left than a server that charges on arrival and gives nothing back", () => {
    if (!charges) return;
    const sizes = fc.record({
      inputTokens: fc.nat(50),
      maxOutputTokens: fc.nat(300),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const ending = fc.constantFrom("success", "server_error", "timeout", "cancelled", "client_error");
    fc.assert(
      fc.property(fc.array(fc.tuple(sizes, ending, fc.nat(5_000)), { maxLength: 30 }), (requests) => {
        const { limiter, clock } = limiterOf({ dialect, limits: { tpm: 2_000 } });
        const log: (readonly [at: number, tokens: number])[] = [];
        for (const [{ inputTokens, maxOutputTokens, share }, status, pauseMs] of requests) {
          clock.advanceMs(pauseMs);
          const now = clock.now();
          const charged = log.reduce((sum, [at, tokens]) => (at > now - 60_000 ? sum + tokens : sum), 0);
          expect(limiter.remainingQuota("a", "tokens")).toBeLessThanOrEqual(Math.max(0, 2_000 - charged));
          const taken = limiter.tryAcquire("chat", { inputTokens, maxOutputTokens });
          if (!taken.granted) continue;
          expect(charged + inputTokens + maxOutputTokens).toBeLessThanOrEqual(2_000);
          log.push([now, inputTokens + maxOutputTokens]);
          const usage = { inputTokens, outputTokens: Math.floor(share * maxOutputTokens) };
          taken.settle(status === "success" ? { status, usage } : { status });
        }
      }),
      { numRuns: propertyRuns(20) },
    );
  });
});

it("a provider without a dialect counts the usage, and no unsuitable request", () => {
  const { limiter, lease } = limiterOf({ limits: { tpm: 10_000, rpm: 10 } });
  lease({ inputTokens: 100, maxOutputTokens: 1_000 }).settle({
    status: "success",
    usage: { inputTokens: 100, outputTokens: 50 },
  });
  lease({ inputTokens: 100 }).settle("unsuitable");
  expect([limiter.remainingQuota("a", "tokens"), limiter.remainingQuota("a", "requests")]).toEqual([9_850, 9]);
});

it("an unknown dialect is one clear error, and so is any dialect in the classic profile", () => {
  const config = (dialect: string) => ({ providers: [{ name: "a", dialect: dialect as "openai" }] });
  expect(() => new GrateLimiter(config("opnai"))).toThrow(/providers\[0\]\.dialect.*"opnai".*"openai"/);
  expect(() => new GrateLimiter({ ...config("openai"), profile: "classic" })).toThrow(/dialect.*classic/);
  const limiter = new GrateLimiter({ providers: [{ name: "a", dialect: "openai" }] });
  expect(() => limiter.updateProvider("a", { dialect: "groq" } as never)).toThrow(/dialect/);
});

it("a task and inspect() see the dialect of the provider", async () => {
  const { limiter } = limiterOf({ dialect: "groq" });
  expect((await limiter.run("chat", ({ dialect }) => dialect)).value).toBe("groq");
  expect(limiter.inspect().providers[0]?.dialect).toBe("groq");
  expect(limiterOf({}).limiter.inspect().providers[0]?.dialect).toBeNull();
});
