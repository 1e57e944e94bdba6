// Random scenarios. The same seed gives the same scenario.
import { seededRandom } from "../seeded-random.ts";
import type { Capacity } from "./capacity.ts";
import type { CallKind, PlannedCall, ScenarioPlan } from "./scenario.ts";
import type { Fault, FaultKind, ProviderModel } from "./simulated-provider.ts";

export const FAULT_KINDS: readonly FaultKind[] = ["500", "503", "reset", "timeout", "429", "429 with Retry-After"];
export const CALL_KINDS: readonly CallKind[] = ["run", "stream", "map"];

export class Dice {
  readonly next: () => number;

  constructor(seed: number) {
    // The first numbers of similar seeds are similar.
    this.next = seededRandom(Math.imul(seed + 1, 0x9e3779b1));
  }

  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  one<T>(values: readonly T[]): T {
    return values[this.whole(0, values.length - 1)]!;
  }

  chance(share: number): boolean {
    return this.next() < share;
  }
}

const NAMES = ["a", "b", "c"] as const;
type Declared = ScenarioPlan["declared"][number];

/** The limits that a provider declares if it declares its true ones. */
export function declaredLimits(capacity: Capacity): Partial<Declared> {
  if (capacity.kind === "unlimited") return {};
  if (capacity.kind === "concurrency") return { limits: { concurrency: capacity.places } };
  const { limit, windowMs } = capacity;
  return { quotas: [{ dimension: "requests", limit, window: { seconds: windowMs / 1_000 } }] };
}

/**
 * A capacity of more than twice `perSecond` requests of this latency, `most` of which can come simultaneously: during the
 * ramp-up after a recovery, a provider serves half of its limit. A limiter counts a request until one window after its
 * response, because it does not know when the server counted it.
 */
function randomCapacity(dice: Dice, perSecond: number, latencyMs: number, most: number): Capacity {
  const windowMs = dice.one([1_000, 10_000, 60_000]);
  const limit = Math.ceil(2.2 * ((perSecond * (windowMs + latencyMs)) / 1_000 + most)) + 3;
  switch (dice.whole(0, 4)) {
    case 0:
      return { kind: "unlimited" };
    case 1:
      return { kind: "fixed window", limit, windowMs, phaseMs: dice.whole(0, windowMs - 1) };
    case 2:
      return { kind: "sliding log", limit, windowMs };
    case 3:
      return { kind: "token bucket", limit, windowMs };
    default:
      return { kind: "concurrency", places: Math.ceil((2.2 * perSecond * latencyMs) / 1_000 + most / 2) + 3 };
  }
}

/** Two or three providers, and many requests in flight on the preferred one when it breaks. */
export function brokenProviderPlan(seed: number, largest: number): ScenarioPlan & { readonly fault: Fault } {
  const dice = new Dice(seed);
  const inFlight = Math.min(largest, dice.one([20, 50, 100, 1_000]));
  const latencyMs = dice.one([50, 300, 1_000, 5_000]);
  const fromMs = dice.whole(1, latencyMs - 1);
  const fault: Fault = {
    kind: dice.one(FAULT_KINDS),
    fromMs,
    toMs: fromMs + dice.one([1_000, 10_000, 60_000, 600_000]),
    answerMs: dice.one([1, 50, 1_000]),
    killed: dice.one([1, 1, 0.5]),
  };
  const perSecond = dice.one([0, 10, 100]);
  const names = NAMES.slice(0, dice.whole(2, 3));
  const models = names.map((name, place): ProviderModel => {
    const isBroken = place === 0;
    const capacity: Capacity = isBroken ? { kind: "unlimited" } : randomCapacity(dice, perSecond, latencyMs, inFlight);
    const faults = isBroken ? [fault] : [];
    return { name, capacity, latencyMs, faults, statesWait: dice.chance(0.5), refusalMs: 20 };
  });
  const kind = dice.one(CALL_KINDS);
  const capabilities = dice.one([["chat"], ["chat", "mail"], ["chat", "mail", "sms"]]);
  const capability = () => dice.one(capabilities);
  const calls: PlannedCall[] = Array.from({ length: inFlight }, () => ({ at: 0, capability: capability() }));
  for (let at = fromMs; perSecond > 0 && at < fromMs + 5_000; at += dice.whole(1, 2_000 / perSecond)) {
    calls.push({ at, capability: capability() });
  }
  return {
    ...{ seed, kind, calls, models, fault },
    declared: models.map(({ name, capacity }, place) => ({
      ...{ name, priority: place === 0 ? 20 : 5 },
      ...declaredLimits(capacity),
    })),
    capabilities: Object.fromEntries(capabilities.map((name) => [name, names])),
  };
}

/** One to three providers with true limits, each of which can fail at any time, and callers of any kind, rate and patience. */
export function mixedPlan(seed: number, least: number, most: number): ScenarioPlan {
  const dice = new Dice(seed);
  const perSecond = dice.one([0.5, 1, 5, 10, 20, 50].filter((rate) => rate >= least && rate <= most));
  const seconds = Math.min(dice.one([10, 30, 60]), Math.ceil(600 / perSecond));
  const names = NAMES.slice(0, dice.whole(1, 3));
  const latencies = names.map(() => dice.one([0, 20, 300, 1_500]));
  const burst = dice.one([1, 1, 20]);
  const models = names.map((name, place): ProviderModel => {
    const latencyMs = latencies[place]!;
    const faults: Fault[] = [];
    let fromMs = dice.whole(0, seconds * 1_000);
    while (dice.chance(0.6) && fromMs < seconds * 1_000) {
      const toMs = fromMs + dice.one([100, 500, 2_000, 5_000, 15_000]);
      const kind = dice.one(FAULT_KINDS);
      faults.push({ kind, fromMs, toMs, answerMs: dice.one([1, 50, 500]), killed: dice.one([0, 0.6, 1]) });
      fromMs = toMs + dice.whole(1, 20_000);
    }
    const capacity = randomCapacity(dice, perSecond, latencyMs, burst);
    return { name, capacity, latencyMs, faults, statesWait: dice.chance(0.5), refusalMs: 20 };
  });
  const capabilities: { [name: string]: readonly string[] } = { chat: names };
  if (dice.chance(0.5)) capabilities["mail"] = [...names].reverse().slice(0, dice.whole(1, names.length));
  const calls: PlannedCall[] = [];
  for (let at = 0; at < seconds * 1_000; at += dice.whole(0, Math.ceil((2_000 * burst) / perSecond))) {
    const capability = dice.one(Object.keys(capabilities));
    for (let i = 0; i < burst; i++) calls.push({ at, capability });
  }
  return {
    ...{ seed, kind: dice.one(CALL_KINDS), calls, models, capabilities },
    patienceMs: dice.one([undefined, undefined, 30_000, 1_000]),
    declared: models.map(({ name, capacity }, place) => ({
      ...{ name, priority: 10 + place },
      ...declaredLimits(capacity),
    })),
  };
}
