// Claims keep capacity for waiters, and leave the rest to others.
import { beforeEach, describe, expect, it } from "vitest";
import { Claims } from "../../../src/admission/claims.ts";
import { DemandBounds } from "../../../src/admission/demand-bounds.ts";
import { EngineTime } from "../../../src/clock/engine-time.ts";
import { healthSettings } from "../../../src/health/health-settings.ts";
import { MockClock } from "../../../src/index.ts";
import { anticipatory } from "../../../src/profile/anticipatory.ts";
import type { Provider } from "../../../src/provider/provider.ts";
import { Registry } from "../../../src/provider/registry.ts";
import { REQUESTS, TOKENS } from "../../../src/quota/dimension-index.ts";
import { completeUsage, type Demand, demandFor, unspecifiedUsage } from "../../../src/quota/usage-vector.ts";

const WINDOW_MS = 60_000;

function demand(tokens: number, requests = 1, variance = 0): Demand {
  const amounts = unspecifiedUsage();
  amounts[REQUESTS] = requests;
  amounts[TOKENS] = tokens;
  completeUsage(amounts, null);
  return { amounts, variance, costPerToken: 0 };
}

describe("claims", () => {
  let claims: Claims;
  let model: Provider;
  let sibling: Provider;

  /** Two models with requests quotas of their own share a pool of tokens. */
  beforeEach(() => {
    claims = new Claims();
    const health = healthSettings(undefined, anticipatory.healthDefaults);
    const registry = new Registry(anticipatory, new EngineTime(new MockClock()), health, 60, undefined, false);
    registry.upsertPool({ name: "key", limits: { tpm: 100 } }, 0);
    model = registry.upsertProvider({ name: "model", limits: { rpm: 5 }, pools: ["key"] }, 0);
    sibling = registry.upsertProvider({ name: "sibling", limits: { rpm: 5 }, pools: ["key"] }, 0);
  });

  const claim = (provider: Provider, needs: Demand, priority = 0, isGated = false) =>
    claims.add([{ provider, needs, isGated }], priority, 0);

  it("an empty list of claims stops no request, also after it was cleared", () => {
    expect([claims.isEmpty, claims.isBehind(model, demand(100), 0, 0)]).toEqual([true, false]);
    claim(model, demand(100));
    expect([claims.isEmpty, claims.isBehind(model, demand(1), 0, 0)]).toEqual([false, true]);
    claims.clear();
    expect([claims.isEmpty, claims.isBehind(model, demand(100), 0, 0)]).toEqual([true, false]);
  });

  it("take the amount of a quota with room, and everything of a quota without", () => {
    model.ownQuotas[0]!.record(5, 0);
    claim(model, demand(30));
    expect(claims.isBehind(sibling, demand(70), 0, 0)).toBe(false);
    expect(claims.isBehind(sibling, demand(71), 0, 0)).toBe(true);
    expect(claims.isBehind(model, demand(0, 1), 0, 0)).toBe(true);
  });

  it("let a request pass that needs nothing of a claimed quota", () => {
    model.ownQuotas[0]!.record(5, 0);
    claim(model, demand(30));
    expect(claims.isBehind(model, demand(70, 0), 0, 0)).toBe(false);
  });

  it("add up, until together they exceed the quota and take everything", () => {
    for (let i = 0; i < 3; i++) claim(sibling, demand(30));
    expect(claims.isBehind(model, demand(10), 0, 0)).toBe(false);
    claim(sibling, demand(30));
    expect(claims.isBehind(model, demand(1), 0, 0)).toBe(true);
  });

  it("count for requests of the same and of a lower priority alone", () => {
    claim(model, demand(100), 1);
    expect(claims.isBehind(model, demand(1), 1, 0)).toBe(true);
    expect(claims.isBehind(model, demand(1), 0, 0)).toBe(true);
    expect(claims.isBehind(model, demand(1), -Infinity, 0)).toBe(true);
    expect(claims.isBehind(model, demand(1), 2, 0)).toBe(false);
  });

  it("take the largest demand of one waiter on a quota that its targets share", () => {
    claims.add(
      [
        { provider: model, needs: demand(30), isGated: false },
        { provider: sibling, needs: demand(20), isGated: false },
      ],
      0,
      0,
    );
    expect(claims.isBehind(model, demand(70), 0, 0)).toBe(false);
    expect(claims.isBehind(model, demand(71), 0, 0)).toBe(true);
  });

  it("take a whole provider for a waiter that waits for its trial or ramp", () => {
    claim(model, demand(1), 0, true);
    expect(claims.isBehind(model, demand(0, 0), 0, 0)).toBe(true);
    expect(claims.isBehind(sibling, demand(99), 0, 0)).toBe(false);
    expect(claims.opensAt(model, demand(1), 0, 0)).toBeNull();
  });

  it("say when there is room for a demand behind those ahead, or null if they have claimed everything", () => {
    expect(claims.opensAt(model, demand(100), 0, 0)).toBe(0);
    model.quotas[1]!.record(50, 0);
    claim(model, demand(30));
    expect(claims.opensAt(model, demand(20), 0, 10)).toBe(10);
    expect(claims.opensAt(model, demand(21), 0, 10)).toBe(WINDOW_MS);
    claim(model, demand(30));
    expect(claims.opensAt(model, demand(1), 0, 10)).toBeNull();
    expect(claims.opensAt(model, demand(1), 1, 10)).toBe(10);
  });

  it("shut a provider for requests of every size if they take all requests, but not if they take all tokens", () => {
    claim(model, demand(100));
    claim(model, demand(100));
    expect([claims.isBehind(model, demand(1), 0, 0), claims.isShut(model, demand(1), 0)]).toEqual([true, false]);
    model.ownQuotas[0]!.record(5, 0);
    claim(model, demand(1));
    expect(claims.isShut(model, demand(1), 0)).toBe(true);
    expect(claims.isShut(model, demand(1, 0), 0)).toBe(false);
    expect(claims.isShut(model, demand(1), 1)).toBe(false);
  });
});

describe("bounds of demands", () => {
  it("cover the largest amount of each dimension, the largest variance, and the earliest deadline", () => {
    const bounds = new DemandBounds();
    const provider = {} as Provider;
    expect([bounds.on(provider), bounds.earliestDeadline]).toEqual([undefined, Number.POSITIVE_INFINITY]);
    bounds.add(provider, demand(10, 3, 0), 500);
    bounds.add(provider, demand(20, 1, 7), 900);
    bounds.add(provider, demand(5, 1, 0), 700);
    const bound = bounds.on(provider)!;
    expect([REQUESTS, TOKENS].map((index) => demandFor(bound.amounts, index))).toEqual([3, 20]);
    expect([bound.variance, bounds.earliestDeadline]).toEqual([7, 500]);
  });
});
