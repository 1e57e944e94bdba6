// Any non-empty string is a valid name. Capabilities can be added and removed.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, UnknownCapability } from "../../../src/index.ts";
import { propertyRuns } from "../../support/test-effort.ts";

const STRANGE = [
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "prototype", "__defineGetter__", "then"],
  ...[
    "🦜",
    "👨‍👩‍👧",
    " ",
    "\n",
    "\0",
    "a.b[0]",
    "0",
    "-1",
    "undefined",
    "null",
    "\ud800",
    "é",
    "e\u0301",
    "A".repeat(5_000),
  ],
];

/** `{ [name]: value }`, also for the name `__proto__`. */
function record<T>(entries: readonly (readonly [string, T])[]): { [name: string]: T } {
  return Object.fromEntries(entries);
}

describe("a name", () => {
  it.each(STRANGE.map((name) => [JSON.stringify(name).slice(0, 30), name]))("%s is a valid name", (_, name) => {
    const limiter: GrateLimiter = new GrateLimiter({
      clock: new MockClock(),
      pools: record([[name, { limits: { rpm: 5 } }]]),
      providers: [{ name, pools: [name] }, { name: `${name}!` }],
      capabilities: record([[name, [{ provider: name, priority: 20 }, `${name}!`]]]),
    });
    const recorded: string[] = [];
    limiter.on("limitReached", ({ provider, pool }) => recorded.push(provider, pool ?? "none"));
    const decision = limiter.select(name);
    expect(decision.provider).toBe(name);
    expect(decision.alternatives.map(({ provider }) => provider)).toEqual([`${name}!`]);
    limiter.observe({ provider: name, usage: { requests: 5 }, outcome: { status: "success" } });
    expect(recorded).toEqual([name, name]);
    expect(limiter.remainingQuota(name, "requests")).toBe(0);
    expect(limiter.select(name).provider).toBe(`${name}!`);
    limiter.upsertPool({ name, limits: { rpm: 9 } });
    expect(limiter.remainingQuota(name, "requests")).toBe(4);
    expect(limiter.inspect().providers[0]!.name).toBe(name);
    expect(limiter.removeProvider(name)).toBe(true);
    expect(limiter.removeCapability(name)).toBe(true);
    expect(() => limiter.select(name)).toThrow(UnknownCapability);
  });

  it("a name that was not declared is unknown, even if it is a property of every object", () => {
    const limiter: GrateLimiter = new GrateLimiter({ clock: new MockClock() });
    for (const name of STRANGE) {
      expect(() => limiter.select(name)).toThrow(
        expect.objectContaining({ code: "unknown_capability", capability: name }),
      );
      expect(() => limiter.reviveProvider(name)).toThrow(
        expect.objectContaining({ code: "unknown_provider", provider: name }),
      );
      expect(limiter.providerHealth(name)).toBeNull();
      expect(limiter.removeCapability(name)).toBe(false);
      expect(limiter.removeProvider(name)).toBe(false);
    }
  });

  it("names that differ in any way are different", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, unit: "binary" }), { minLength: 2, maxLength: 8 }),
        (names) => {
          const limiter: GrateLimiter = new GrateLimiter({
            clock: new MockClock(),
            providers: names.map((name, i) => ({ name, limits: { rpm: i } })),
          });
          expect(names.map((name) => limiter.remainingQuota(name, "requests"))).toEqual(names.map((_, i) => i));
        },
      ),
      { numRuns: propertyRuns(50) },
    );
  });

  it("ten thousand providers and capabilities can have names", () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `n${i}`);
    const limiter: GrateLimiter = new GrateLimiter({
      clock: new MockClock(),
      providers: names.map((name, i) => ({ name, priority: i, limits: { rpm: 10 } })),
      capabilities: record<string[]>([...names.map((name): [string, string[]] => [name, [name]]), ["all", names]]),
    });
    expect(limiter.select("n777").provider).toBe("n777");
    const decision = limiter.select("all");
    expect(decision.provider).toBe("n9999");
    expect(decision.alternatives).toHaveLength(9_999);
    expect(() => limiter.select("n10000")).toThrow(UnknownCapability);
  });
});

describe("a capability", () => {
  it("a capability is replaced immediately and as a whole, and the list is copied", () => {
    const limiter: GrateLimiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "a" }, { name: "b" }],
      capabilities: { chat: ["a"] },
    });
    const providers = ["b", { provider: "a", priority: 3 }];
    limiter.upsertCapability({ name: "chat", providers });
    expect(limiter.select("chat").provider).toBe("b");
    providers.pop();
    expect(limiter.select("chat").alternatives).toHaveLength(1);
    limiter.upsertCapability({ name: "embed", providers: ["a", "unborn"] });
    expect(limiter.select("embed").alternatives).toEqual([]);
    limiter.upsertProvider({ name: "unborn", priority: 99 });
    expect(limiter.select("embed").provider).toBe("unborn");
    expect(limiter.removeCapability("embed")).toBe(true);
    expect(limiter.removeCapability("embed")).toBe(false);
    expect(limiter.select("chat").provider).toBe("b");
  });
});
