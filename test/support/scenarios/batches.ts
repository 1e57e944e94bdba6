// Batches of scenario 2: `map` at one provider that does not behave as declared. Each has the ideal time of a client that
// knows the truth.
import type { Capacity } from "./capacity.ts";
import { type Dice, declaredLimits } from "./random-plans.ts";
import type { ScenarioPlan } from "./scenario.ts";
import type { Fault, ProviderModel } from "./simulated-provider.ts";

export interface Batch {
  readonly plan: ScenarioPlan;
  /** Most 429s per item, on average. */
  readonly mostRefusedPerItem?: number;
  /** Most time of the good items, in units of the ideal time. */
  readonly mostTime?: number;
  /** Longest time in milliseconds in which nothing is served although the server would. */
  readonly longestStandstillMs?: number;
}

interface Parts {
  readonly items: number;
  readonly capacity: Capacity;
  readonly declared?: Capacity;
  readonly latencyMs: number;
  readonly statesWait: boolean;
  readonly refusalMs?: number;
  readonly faults?: readonly Fault[];
  readonly poisonous?: readonly number[];
}

function batch(seed: number, parts: Parts): ScenarioPlan {
  const { capacity, declared = { kind: "unlimited" }, latencyMs, statesWait, refusalMs = 20, faults = [] } = parts;
  const model: ProviderModel = { name: "a", capacity, latencyMs, faults, statesWait, refusalMs };
  const isPoisonous = (index: number) => parts.poisonous?.includes(index) ?? false;
  const calls = Array.from({ length: parts.items }, (_, index) => ({
    at: 0,
    capability: "chat",
    isPoisonous: isPoisonous(index),
  }));
  return {
    ...{ seed, kind: "map", calls, models: [model], capabilities: { chat: ["a"] } },
    declared: [{ name: "a", ...declaredLimits(declared) }],
  };
}

const MINUTE = 60_000;
const limitOf = (dice: Dice, limit: number, windowMs: number): Capacity =>
  dice.one<Capacity>([
    { kind: "fixed window", limit, windowMs, phaseMs: dice.whole(0, windowMs - 1) },
    { kind: "sliding log", limit, windowMs },
    { kind: "token bucket", limit, windowMs },
  ]);

/** The batches by name, each with random latencies, algorithms and instants. */
export const BATCHES: { readonly [name: string]: (seed: number, dice: Dice) => Batch } = {
  "declared 100/min, truly 80": (seed, dice) => declaredTooHigh(seed, dice, 80),
  "declared 100/min, truly 50": (seed, dice) => declaredTooHigh(seed, dice, 50),
  "undeclared 50/min, Retry-After": (seed, dice) => ({
    plan: batch(seed, {
      ...{ items: 200, capacity: limitOf(dice, 50, MINUTE), latencyMs: dice.one([20, 300, 2_000]), statesWait: true },
    }),
  }),
  "undeclared 4 places, no Retry-After": (seed, dice) => ({
    mostRefusedPerItem: 2,
    mostTime: 2,
    plan: batch(seed, {
      items: 100,
      capacity: { kind: "concurrency", places: 4 },
      latencyMs: dice.one([500, 1_000, 3_000]),
      statesWait: false,
      refusalMs: 100,
    }),
  }),
  "first window refused": (seed, dice) => {
    const refusedMs = dice.whole(1_000, MINUTE);
    const kind = dice.one(["429", "429 with Retry-After"] as const);
    return {
      plan: batch(seed, {
        items: 200,
        capacity: { kind: "sliding log", limit: 100, windowMs: MINUTE },
        declared: { kind: "sliding log", limit: 100, windowMs: MINUTE },
        latencyMs: dice.one([20, 300, 2_000]),
        statesWait: kind !== "429",
        faults: [{ kind, fromMs: 0, toMs: refusedMs, answerMs: 20 }],
      }),
    };
  },
  "a reset kills 30 of 50": (seed, dice) => {
    const fromMs = dice.whole(1, 1_999);
    return {
      plan: batch(seed, {
        items: 300,
        capacity: { kind: "concurrency", places: 50 },
        declared: { kind: "concurrency", places: 50 },
        latencyMs: 2_000,
        statesWait: false,
        faults: [{ kind: "reset", fromMs, toMs: fromMs, answerMs: 0, killed: 0.6 }],
      }),
    };
  },
  "three poisonous items": (seed, dice) => {
    const poisonous = Array.from({ length: 3 }, () => dice.whole(0, 199));
    return {
      longestStandstillMs: 2_000,
      plan: batch(seed, {
        items: 200,
        capacity: { kind: "concurrency", places: 10 },
        declared: { kind: "concurrency", places: 10 },
        latencyMs: dice.one([20, 200, 500]),
        statesWait: false,
        poisonous: dice.chance(0.5) ? poisonous : [0, 1, 2],
      }),
    };
  },
};

function declaredTooHigh(seed: number, dice: Dice, truth: number): Batch {
  return {
    plan: batch(seed, {
      items: 400,
      capacity: limitOf(dice, truth, MINUTE),
      declared: { kind: "sliding log", limit: 100, windowMs: MINUTE },
      latencyMs: dice.one([20, 300, 2_000]),
      statesWait: dice.chance(0.5),
    }),
  };
}
