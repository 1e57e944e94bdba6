// A rejected call reports all problems of its argument, with paths relative to that argument, and changes nothing.
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type ProviderConfig } from "../../../src/index.ts";
import { NO_LISTS, NO_NAMES, NO_NUMBERS, NO_OBJECTS, problemPaths, withValueAt } from "../../support/invalid-values.ts";

function limiterInUse() {
  const limiter: GrateLimiter = new GrateLimiter({
    clock: new MockClock(),
    pools: { org: { limits: { tpm: 100 } } },
    providers: [{ name: "a", limits: { rpm: 10 }, pools: ["org"] }],
    capabilities: { chat: ["a"] },
  });
  limiter.observe({ provider: "a", usage: { requests: 3, tokens: 8 }, outcome: { status: "timeout" } });
  const state = () => JSON.stringify([limiter.inspect().providers, limiter.select("chat")]);
  return { limiter, state };
}

/** Returns the paths of the reported problems and expects the limiter to be unchanged. */
function refused(call: (limiter: GrateLimiter) => unknown): string[] {
  const { limiter, state } = limiterInUse();
  const before = state();
  const paths = problemPaths(() => call(limiter));
  expect(paths).not.toEqual([]);
  expect(state()).toBe(before);
  return paths;
}

describe("the messages that the documentation shows", () => {
  it("the message for quotas[1].limit is the documented one", () => {
    const { limiter } = limiterInUse();
    const config: ProviderConfig = {
      name: "a",
      quotas: [
        { dimension: "requests", limit: 5, window: "minute" },
        { dimension: "tokens", limit: Number.NaN, window: "minute" },
      ],
    };
    expect(() => limiter.upsertProvider(config)).toThrow(
      expect.objectContaining({
        message: "quotas[1].limit: expected a finite number >= 0, got NaN",
        problems: [{ path: "quotas[1].limit", expected: "a finite number >= 0", got: "NaN" }],
      }),
    );
  });

  it("the message for limits.rmp is the documented one", () => {
    const { limiter } = limiterInUse();
    const limits = { rmp: 5 } as object;
    expect(() => limiter.upsertProvider({ name: "a", limits })).toThrow(
      expect.objectContaining({ message: 'limits.rmp: unknown "rmp", did you mean "rpm"?' }),
    );
    expect(() => limiter.updateProvider("a", { limits })).toThrow('limits.rmp: unknown "rmp", did you mean "rpm"?');
  });
});

describe("upsertProvider and updateProvider", () => {
  const full = {
    limits: { rpm: 1 },
    quotas: [{ dimension: "tokens", limit: 5, window: "minute", strategy: "token_bucket", burst: 7 }],
    price: { usdPerRequest: 1 },
    ...{ priority: 1, weight: 1, paused: false, cooldownSeconds: 1, pools: ["org"] },
  };
  const calls = [
    ["upsertProvider", (config: unknown) => refused((l) => l.upsertProvider(config as never))],
    ["updateProvider", (config: unknown) => refused((l) => l.updateProvider("a", config as never))],
  ] as const;
  const base = (call: string) => (call === "upsertProvider" ? { name: "a", ...full } : full);

  it.each(calls)("%s rejects invalid numbers", (call, pathsOf) => {
    for (const path of [
      ...["limits.rpm", "quotas[0].limit", "quotas[0].burst", "price.usdPerRequest", "priority", "weight"],
      "cooldownSeconds",
    ]) {
      // null in a patch removes a limit.
      const values = path === "limits.rpm" ? NO_NUMBERS.filter((value) => value !== null) : NO_NUMBERS;
      for (const value of values) expect(pathsOf(withValueAt(base(call), path, value))).toEqual([path]);
    }
  });

  it.each(calls)("%s rejects invalid objects, lists, booleans, pools and keys", (call, pathsOf) => {
    for (const value of NO_OBJECTS) expect(pathsOf(value)).toEqual([""]);
    for (const value of NO_LISTS) {
      expect(pathsOf(withValueAt(base(call), "quotas", value))).toEqual(["quotas"]);
      expect(pathsOf(withValueAt(base(call), "pools", value))).toEqual(["pools"]);
    }
    expect(pathsOf({ ...base(call), paused: 1 })).toEqual(["paused"]);
    expect(pathsOf({ ...base(call), pools: ["org", "gro"] })).toEqual(["pools[1]"]);
    expect(pathsOf({ ...base(call), pirority: 1 })).toEqual(["pirority"]);
    expect(pathsOf({ ...base(call), weight: -1, "odd key": 1 })).toEqual(['["odd key"]', "weight"]);
  });

  it("upsertProvider requires a name, and updateProvider rejects one", () => {
    for (const name of [...NO_NAMES, undefined]) {
      expect(refused((limiter) => limiter.upsertProvider({ ...full, name } as never))).toEqual(["name"]);
    }
    expect(refused((limiter) => limiter.updateProvider("a", { name: "b" } as never))).toEqual(["name"]);
  });

  it("updateProvider accepts null only for a limit", () => {
    expect(refused((limiter) => limiter.upsertProvider({ name: "a", limits: { rpm: null } } as never))).toEqual([
      "limits.rpm",
    ]);
    for (const key of ["priority", "quotas", "limits", "price", "pools", "paused"]) {
      expect(refused((limiter) => limiter.updateProvider("a", { [key]: null }))).toEqual([key]);
    }
  });
});

describe("upsertPool and upsertCapability", () => {
  it("upsertPool and upsertCapability reject invalid values with relative paths", () => {
    for (const value of NO_OBJECTS) {
      expect(refused((limiter) => limiter.upsertPool(value as never))).toEqual([""]);
      expect(refused((limiter) => limiter.upsertCapability(value as never))).toEqual([""]);
    }
    for (const name of [...NO_NAMES, undefined]) {
      expect(refused((limiter) => limiter.upsertPool({ name } as never))).toEqual(["name"]);
      expect(refused((limiter) => limiter.upsertCapability({ name, providers: [] } as never))).toEqual(["name"]);
    }
    for (const value of NO_LISTS) {
      const call = (limiter: GrateLimiter) => limiter.upsertCapability({ name: "chat", providers: value as never });
      expect(refused(call)).toEqual(["providers"]);
    }
    expect(refused((limiter) => limiter.upsertCapability({ name: "chat" } as never))).toEqual(["providers"]);
    for (const value of NO_NUMBERS) {
      const providers = ["a", { provider: "a", priority: value }] as never;
      expect(refused((limiter) => limiter.upsertCapability({ name: "chat", providers }))).toEqual([
        "providers[1].priority",
      ]);
      expect(refused((limiter) => limiter.upsertPool({ name: "org", limits: { rpm: value as never } }))).toEqual([
        "limits.rpm",
      ]);
    }
    expect(refused((limiter) => limiter.upsertCapability({ name: "chat", providers: [{}] as never }))).toEqual([
      "providers[0].provider",
    ]);
  });
});

describe("select, queries and on", () => {
  it("select rejects invalid options before it counts the call", () => {
    const { limiter } = limiterInUse();
    for (const value of NO_OBJECTS) expect(problemPaths(() => limiter.select("chat", value as never))).toEqual([""]);
    expect(problemPaths(() => limiter.select("chat", { tokns: 1 } as never))).toEqual(["tokns"]);
    expect(limiter.metrics.selects).toBe(0);
  });

  it("on rejects an unknown event and an invalid listener", () => {
    const { limiter } = limiterInUse();
    const listen = (event: unknown, listener: unknown) => () => limiter.on(event as never, listener as never);
    for (const event of ["cooldown", "toString", "__proto__", "", null, 5]) {
      expect(listen(event, () => {})).toThrow(expect.objectContaining({ code: "invalid_config" }));
    }
    for (const listener of [undefined, null, "x", {}]) {
      expect(listen("cooldownEnded", listener)).toThrow(expect.objectContaining({ code: "invalid_config" }));
    }
  });

  it("the queries reject an invalid dimension or window, or return null", () => {
    const { limiter } = limiterInUse();
    for (const dimension of ["request", "", "toString", null, 5]) {
      expect(answerOf(() => limiter.remainingQuota("a", dimension as never))).toBeNull();
    }
    for (const window of ["minutes", null, {}, { seconds: "60" }, { calendar: "year" }, 5]) {
      expect(answerOf(() => limiter.remainingQuota("a", "requests", window as never))).toBeNull();
    }
  });
});

function answerOf(call: () => unknown): unknown {
  return problemPaths(call).length > 0 ? null : call();
}
