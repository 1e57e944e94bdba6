import { describe, expect, it } from "vitest";
import type { CapabilityProvider } from "../../../src/api/provider-config.ts";
import { classic } from "../../../src/classic/classic-profile.ts";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { anticipatory } from "../../../src/profile/anticipatory.ts";
import { type ProviderList, ProviderLists } from "../../../src/provider/provider-list.ts";

describe("lists of providers", () => {
  const lists = new ProviderLists();
  const take = (...providers: CapabilityProvider[]): ProviderList => lists.take(providers, anticipatory.candidates);

  it("equal declarations share one list, whatever form they have", () => {
    expect(take("a", "b")).toBe(take("a", { provider: "b" }));
    expect(take("a", "b", "a")).toBe(take("a", "b"));
    expect(take()).toBe(take());
  });

  it("declarations with another order, name or priority have different lists", () => {
    const declared: readonly CapabilityProvider[][] = [
      ["a", "b"],
      ["b", "a"],
      ["a"],
      ['a","ownPriority":null},{"name":"b'],
      ["a", { provider: "b", priority: 1 }],
      ["a", { provider: "b", priority: 1.5 }],
      ["a", "b\ud800"],
      ["a", "b\ufffd"],
      [],
    ];
    expect(new Set(declared.map((providers) => take(...providers))).size).toBe(declared.length);
  });

  it("a list is deleted with the last capability that uses it", () => {
    const first = take("x");
    expect(take("x").users).toBe(2);
    lists.giveBack(first);
    expect(take("x")).toBe(first);
    lists.giveBack(first);
    lists.giveBack(first);
    expect(first.users).toBe(0);
    expect(take("x")).not.toBe(first);
  });

  it("a list contains the candidates of the profile", () => {
    const names = (list: ProviderList) => list.entries.map(({ name }) => name);
    expect(names(lists.take(["a", "b", "a"], anticipatory.candidates))).toEqual(["a", "b"]);
    expect(names(lists.take(["a", "b", "a"], classic.candidates))).toEqual(["a", "b", "a"]);
  });
});

it("learned sizes belong to a capability, even if it shares its list", () => {
  const limiter = new GrateLimiter<string>({
    clock: new MockClock(),
    providers: [{ name: "a", limits: { tpm: 100_000 } }],
    capabilities: { short: ["a"], long: ["a"] },
  });
  const outcome = { status: 200 };
  limiter.observe({ provider: "a", capability: "short", usage: { tokens: 10 }, outcome });
  limiter.observe({ provider: "a", capability: "long", usage: { tokens: 300 }, outcome });
  const reserved = (capability: string) => {
    const answer = limiter.tryAcquire(capability);
    if (!answer.granted) throw new Error("refused");
    const { tokens } = answer.reserved;
    answer.release();
    return tokens;
  };
  expect([reserved("short"), reserved("long"), reserved("short")]).toEqual([10, 300, 10]);
  // A changed list keeps the learned sizes; a capability that was removed and added does not.
  limiter.upsertProvider({ name: "b" });
  limiter.upsertCapability({ name: "long", providers: ["a", "b"] });
  limiter.updateProvider("b", { paused: true });
  expect([reserved("short"), reserved("long")]).toEqual([10, 300]);
  // A lease of the old list updates the sizes of the new one.
  limiter.upsertCapability({ name: "late", providers: ["a"] });
  const lease = limiter.tryAcquire("late", { tokens: 1 });
  limiter.upsertCapability({ name: "late", providers: ["a", "b"] });
  if (lease.granted) lease.settle({ status: "success", usage: { tokens: 77 } });
  expect(reserved("late")).toBe(77);
  limiter.removeCapability("long");
  limiter.upsertCapability({ name: "long", providers: ["a"] });
  expect([reserved("short"), reserved("long")]).toEqual([10, 10_000]);
});
