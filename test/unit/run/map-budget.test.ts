// Budgets of a batch: maxUsd, and onBudget for the dollar quotas of providers.
import fc from "fast-check";
import { expect, it } from "vitest";
import { InvalidConfig, type ProviderConfig } from "../../../src/index.ts";
import { HttpError, runFixture, watch } from "../../support/run-fixture.ts";

const PRICE = { usdPerMillionInputTokens: 1, usdPerMillionOutputTokens: 2 };

it("the cost of a batch is never above maxUsd, whatever the costs, failures, time-outs and aborts", async () => {
  const item = fc.record({
    input: fc.nat(50_000),
    output: fc.nat(50_000),
    most: fc.integer({ min: 50_000, max: 60_000 }),
    ending: fc.constantFrom("success", "success", "success", 500, 429, "hang", "bug"),
    ms: fc.nat(500),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(item, { maxLength: 25 }),
      fc.double({ min: 0.01, max: 2, noNaN: true }),
      fc.constantFrom(1, 4, 1_000),
      fc.constantFrom(null, 200, 2_000),
      async (items, maxUsd, concurrency, abortMs) => {
        const fixture = runFixture([
          { name: "a", price: PRICE, limits: { concurrency: 3 } },
          { name: "b", price: { ...PRICE, usdPerRequest: 0.001 } },
        ]);
        const { limiter, clock } = fixture;
        let microUsd = 0;
        const abort = new AbortController();
        if (abortMs !== null) clock.wakeAt(clock.now() + abortMs, () => abort.abort());
        const batch = limiter.map(
          "chat",
          items,
          async ({ input, output, ending, ms }, { provider, attempt, signal }) => {
            await new Promise<void>((resolve) => void clock.wakeAt(clock.now() + ms, resolve));
            if (ending === "hang") await new Promise((_, reject) => signal.addEventListener("abort", reject));
            if (typeof ending === "number" && attempt < 3) {
              // A failure that the provider charges.
              if (ending === 500) microUsd += input + (provider === "b" ? 1_000 : 0);
              throw Object.assign(new HttpError(ending), { usage: { input_tokens: input } });
            }
            if (ending === "bug") throw new TypeError("a mistake of the program");
            microUsd += input + 2 * output + (provider === "b" ? 1_000 : 0);
            return { usage: { input_tokens: input, output_tokens: output } };
          },
          {
            maxUsd,
            concurrency,
            attemptTimeoutMs: 2_000,
            maxWaitMs: 20_000,
            signal: abort.signal,
            needs: ({ input, most }) => ({ inputTokens: input, maxOutputTokens: most }),
          },
        );
        const all = watch(batch.toArray());
        await clock.advanceMsAsync(120_000);
        expect(all.state).not.toBe("open");
        expect(microUsd).toBeLessThanOrEqual(maxUsd * 1e6 + 1);
        const { inFlight, waiting, stopped, completed, failed } = batch.progress;
        if (abortMs === null) {
          expect([inFlight, waiting]).toEqual([0, 0]);
          if (stopped === undefined) expect(completed + failed).toBe(items.length);
        }
      },
    ),
    { numRuns: 60 },
  );
});

it("as many items are served as the budget allows, and the end says so", async () => {
  const { limiter, clock } = runFixture([{ name: "a" }]);
  const batch = limiter.map("chat", Array.from({ length: 100 }).keys(), (item) => item, {
    maxUsd: 0.5,
    needs: () => ({ costMicroUsd: 20_000 }),
  });
  const all = watch(batch.toArray());
  await clock.advanceMsAsync(1_000);
  expect(all.value).toHaveLength(25);
  expect(batch.progress).toMatchObject({ completed: 25, stopped: "budget", waiting: 0, etaMs: null });
});

it("what an answer did not cost is free for the next items", async () => {
  const { limiter, clock } = runFixture([{ name: "a", price: PRICE }]);
  const answer = { usage: { input_tokens: 0, output_tokens: 1_000 } };
  const batch = limiter.map("chat", [1, 2, 3, 4, 5, 6, 7, 8], () => answer, {
    maxUsd: 0.03,
    concurrency: 1,
    needs: () => ({ inputTokens: 0, maxOutputTokens: 10_000 }),
  });
  const all = watch(batch.toArray());
  await clock.advanceMsAsync(1_000);
  // Each costs 2,000 of 30,000 micro-USD, and may cost 20,000.
  expect(all.value).toHaveLength(6);
});

it("an item without a known cost fails with one clear error", async () => {
  const { limiter } = runFixture([{ name: "a" }]);
  const [result] = await limiter.map("chat", [1], (item) => item, { maxUsd: 1 }).toArray();
  expect(result).toMatchObject({ ok: false, error: expect.any(InvalidConfig) });
  expect(String((result as { error: unknown }).error)).toMatch(/costMicroUsd: maxUsd needs the cost of each request/);
  expect(limiter.inspect().providers[0]!.inFlight).toBe(0);
  expect(() => limiter.map("chat", [1], (item) => item, { maxUsd: 0 })).toThrow(/maxUsd/);
});

it.each([
  ["stop", "resolved", 10],
  ["wait", "open", 0],
] as const)("with onBudget %s a batch whose dollar quota is spent is %s", async (onBudget, state, served) => {
  const providers: ProviderConfig[] = [{ name: "a", limits: { usdPerDay: 1 } }];
  const { limiter, clock } = runFixture(providers);
  const batch = limiter.map("chat", Array.from({ length: 30 }).keys(), (item) => item, {
    onBudget,
    needs: () => ({ costMicroUsd: 100_000 }),
  });
  const all = watch(batch.toArray());
  await clock.advanceMsAsync(60_000);
  expect(all.state).toBe(state);
  if (state === "resolved") expect(all.value).toHaveLength(served);
  expect(batch.progress.stopped).toBe(state === "resolved" ? "budget" : undefined);
  expect(batch.progress.completed).toBe(10);
});
