import type { Dimension, Window } from "grate-limiter";
import type { FixtureCapability, FixtureConfig, FixtureProvider, FixtureQuota } from "../typescript/fixture.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Dimensions and windows of the published engines. */
export const DIMENSIONS: readonly Dimension[] = ["requests", "tokens", "concurrency", "cost_usd", "bytes"];
export const WINDOWS: readonly Window[] = ["second", "minute", "hour", "day"];

/** Provider names for a capability. */
export interface Names {
  readonly registered: readonly string[];
  /** A provider that capabilities can list, but that the initial declarations do not register. */
  readonly unregistered: string;
}

/**
 * Draws the options of the engine: mostly defaults, and sometimes unusual values. Weights and penalties are not round
 * numbers. Sums of round numbers are equal too often, and the 32 bits of the Rust crate order such ties differently.
 */
export function drawConfig(random: SeededRandom): FixtureConfig {
  const option = (share: number, name: string, values: readonly number[]) =>
    random.chance(share) ? { [name]: random.one(values) } : {};
  const weights = random.chance(0.3)
    ? {
        ...option(0.7, "quota", [0, 0.11, 0.43, 0.77, 1]),
        ...option(0.7, "health", [0, 0.17, 0.37, 0.61, 1]),
        ...option(0.7, "priority", [0, 0.059, 0.23, 0.33, 1]),
        ...option(0.7, "latency", [0, 0.029, 0.13, 0.53, 1]),
      }
    : {};
  const health = random.chance(0.6)
    ? {
        ...option(0.5, "decay_half_life_seconds", [0, 0.5, 1, 30, 300, 3_600]),
        ...option(0.4, "penalty_429", [0, 0.047, 0.25, 0.71, 1]),
        ...option(0.4, "penalty_403", [0, 0.13, 0.53, 1]),
        ...option(0.4, "penalty_5xx", [0, 0.017, 0.083, 0.6, 1]),
        ...option(0.4, "penalty_timeout", [0, 0.157, 0.22, 1]),
        ...option(0.4, "boost_success", [0, 0.019, 0.31, 1]),
        ...option(0.6, "cooldown_trigger_count", [0, 1, 1, 2, 3, 5]),
        ...option(0.6, "cooldown_multiplier", [0.5, 1, 1.1, 1.2, 1.5, 2, 2.9, 3, 10]),
        ...option(0.6, "max_cooldown_seconds", [0, 5, 60, 600, 3_600, 1_000_000]),
      }
    : {};
  return {
    ...(Object.keys(weights).length > 0 ? { scoring: weights } : {}),
    ...(Object.keys(health).length > 0 ? { health } : {}),
    ...option(0.3, "minimum_health_score", [0, 0.053, 0.37, 0.61, 1]),
    ...option(0.1, "default_cooldown_seconds", [0, 5, 3_600]),
  };
}

/** Draws a provider with 0 to 4 quotas. */
export function drawProvider(random: SeededRandom, name: string): FixtureProvider {
  const quotas = Array.from({ length: random.whole(0, 4) }, () => drawQuota(random));
  const first = quotas[0];
  if (first !== undefined && quotas.length < 4 && random.chance(0.1)) {
    quotas.push({ ...drawQuota(random), dimension: first.dimension });
  }
  return {
    name,
    quotas,
    ...(random.chance(0.3) ? { priority: random.whole(0, 20) } : {}),
    ...(random.chance(0.2) ? { weight: random.one([0, 0.5, 1, 3]) } : {}),
    ...(random.chance(0.7) ? { cooldown_seconds: random.one([0, 1, 5, 10, 25, 30, 60, 1_000]) } : {}),
  };
}

function drawQuota(random: SeededRandom): FixtureQuota {
  return {
    dimension: random.chance(0.3) ? "requests" : random.one(DIMENSIONS),
    limit: drawLimit(random),
    ...(random.chance(0.9) ? { window: random.one(WINDOWS) } : {}),
  };
}

function drawLimit(random: SeededRandom): number {
  const draw = random.fraction();
  if (draw < 0.04) return 0;
  if (draw < 0.08) return 1;
  if (draw < 0.4) return random.whole(2, 20);
  if (draw < 0.75) return random.whole(21, 1_000);
  if (draw < 0.92) return random.whole(1_000, 1_000_000);
  if (draw < 0.985) return random.whole(1e6, 1e8);
  // Rare, because the Rust engine overflows 64 bits at larger limits after a pause of a few windows.
  return random.chance(0.2) ? 1e12 : random.whole(1e8, 1e12);
}

/** Draws a list of providers: mostly each of them once, sometimes with missing or repeated entries, or empty. */
export function drawCapability(random: SeededRandom, name: string, names: Names, allZero: boolean): FixtureCapability {
  if (!allZero && random.chance(0.03)) return { name, providers: [] };
  const order = random.shuffled(names.registered);
  const listed = order.slice(0, random.chance(0.7) ? order.length : random.whole(1, order.length));
  if (random.chance(0.15)) listed.splice(random.whole(0, listed.length), 0, random.one(listed));
  if (random.chance(0.2)) listed.splice(random.whole(0, listed.length), 0, names.unregistered);
  const priorities = random.one([[10], [10], [0, 3, 7, 10], [1, 6, 11, 19], [9, 10], [0, 1, 83]]);
  const providers = listed.map((provider) => ({ provider, priority: allZero ? 0 : random.one(priorities) }));
  if (!allZero && providers.every(({ priority }) => priority === 0)) providers[0]!.priority = 10;
  return { name, providers };
}
