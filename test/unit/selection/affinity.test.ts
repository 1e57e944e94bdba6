// Requests with one affinityKey go to one provider.
import fc from "fast-check";
import { expect, it } from "vitest";
import { GrateLimiter, InvalidConfig, MockClock, type ProviderConfig } from "../../../src/index.ts";
import { LimiterFixture } from "../../support/limiter-fixture.ts";

const KEYS = Array.from({ length: 1_000 }, (_, index) => `tenant-${index}`);

function limiterOf(providers: readonly ProviderConfig[]) {
  return new GrateLimiter({
    clock: new MockClock(),
    providers,
    capabilities: { chat: providers.map(({ name }) => name) },
  });
}

it("the keys are spread evenly, and each one keeps its provider", () => {
  const limiter = limiterOf(["a", "b", "c", "d"].map((name) => ({ name })));
  const choices = () => KEYS.map((affinityKey) => limiter.select("chat", { affinityKey }).provider);
  const chosen = choices();
  expect(choices()).toEqual(chosen);
  for (const name of ["a", "b", "c", "d"]) {
    const share = chosen.filter((provider) => provider === name).length / KEYS.length;
    expect(Math.abs(share - 0.25)).toBeLessThan(0.05);
  }
});

it("if a provider leaves the list, only its own keys move", () => {
  const limiter = limiterOf(["a", "b", "c", "d"].map((name) => ({ name })));
  const choiceOf = (affinityKey: string) => limiter.select("chat", { affinityKey }).provider;
  const before = new Map(KEYS.map((key) => [key, choiceOf(key)]));
  limiter.updateProvider("c", { paused: true });
  for (const [key, provider] of before) {
    if (provider !== "c") expect(choiceOf(key)).toBe(provider);
  }
});

it("a provider within 10 % of the best score is chosen, and no other", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.5, max: 1, noNaN: true }), { minLength: 2, maxLength: 6 }),
      fc.string({ minLength: 1 }),
      (weights, affinityKey) => {
        const limiter = limiterOf(weights.map((weight, index) => ({ name: `p${index}`, weight })));
        const best = limiter.select("chat");
        const { score, alternatives } = limiter.select("chat", { affinityKey });
        expect(score).toBeGreaterThanOrEqual(best.score * 0.9);
        expect(alternatives).toHaveLength(weights.length - 1);
      },
    ),
  );
});

it("a lease goes to the provider of its key while that has capacity, and explain says so", () => {
  const providers = ["a", "b", "c"].map((name) => ({ name, limits: { concurrency: 2 } }));
  const fixture = new LimiterFixture({ providers, capabilities: { chat: ["a", "b", "c"] } });
  const options = { affinityKey: "conversation 7" };
  const explained = fixture.limiter.explain("chat", options).decision!.provider;
  const first = fixture.grant(options);
  expect(first.provider).toBe(explained);
  first.settle();
  const leases = [1, 2, 3].map(() => fixture.grant(options));
  // Half of its places are taken after the first, so its score is below the band.
  expect(leases[0]!.provider).toBe(explained);
  expect(new Set(leases.map(({ provider }) => provider)).size).toBeGreaterThan(1);
});

it("an invalid key is one clear error, and the classic profile has none", () => {
  const limiter = limiterOf([{ name: "a" }]);
  expect(() => limiter.select("chat", { affinityKey: "" })).toThrow(InvalidConfig);
  const classic = new GrateLimiter({
    profile: "classic",
    providers: [{ name: "a", limits: { rpm: 1 } }],
    capabilities: { chat: ["a"] },
  });
  expect(() => classic.select("chat", { affinityKey: "x" })).toThrow(/affinityKey/);
});
