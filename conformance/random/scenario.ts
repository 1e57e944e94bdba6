import type { Fixture, FixtureCapability, FixtureProvider, ObserveStep, Step } from "../typescript/fixture.ts";
import { DIMENSIONS, drawCapability, drawConfig, drawProvider } from "./declarations.ts";
import { SeededRandom } from "./seeded-random.ts";

/** Number of steps between two probes, which read everything that can be read. */
export const STEPS_BETWEEN_PROBES = 10;

/** One of this number of scenarios has a capability with all priorities 0. It is rare: the published engines differ there. */
const SCENARIOS_PER_ALL_ZERO = 100;

/** Capabilities of every scenario. */
const CAPABILITIES = ["chat", "embed"];
const UNKNOWN_CAPABILITY = "draw";

// Providers are named a to i. The first of these names is never registered, the second one only during a scenario.
const UNKNOWN_PROVIDER = "nobody";
const LATE_PROVIDER = "late";

const FAILURES = ["rate_limited", "forbidden", "server_error", "timeout"] as const;

/** Returns the scenario with this index in the run of this seed. It depends on nothing else. */
export function scenarioOf(seed: number, index: number): Fixture {
  return new ScenarioDraw(new SeededRandom(seed % 2 ** 32, Math.floor(seed / 2 ** 32), index), seed, index).scenario();
}

/** Draws one scenario. It tracks the declarations so far, so that the steps refer to them. */
class ScenarioDraw {
  readonly #random: SeededRandom;
  readonly #name: string;
  readonly #providers = new Map<string, FixtureProvider>();
  readonly #capabilities: FixtureCapability[];
  readonly #initial: readonly FixtureProvider[];
  readonly #rareCapability: string | null;
  readonly #failureRate: number;
  readonly #longestPauseMs: number;

  constructor(random: SeededRandom, seed: number, index: number) {
    this.#random = random;
    this.#name = `random-${seed}-${index}`;
    const names = [..."abcdefghi"].slice(0, random.whole(1, 9));
    this.#initial = names.map((name) => drawProvider(random, name));
    for (const provider of this.#initial) this.#providers.set(provider.name, provider);
    this.#rareCapability =
      index % SCENARIOS_PER_ALL_ZERO === SCENARIOS_PER_ALL_ZERO - 1 ? random.one(CAPABILITIES) : null;
    this.#capabilities = CAPABILITIES.map((name) => this.#capability(name));
    this.#failureRate = random.one([0.05, 0.1, 0.2, 0.5, 0.9]);
    this.#longestPauseMs = random.one([2e3, 20e3, 120e3, 4e6, 90e6, 450e6]);
  }

  scenario(): Fixture {
    const random = this.#random;
    const steps: Step[] = [];
    const length = random.whole(15, 75);
    for (let i = 1; i <= length; i++) {
      steps.push(this.#step());
      if (i % STEPS_BETWEEN_PROBES === 0) steps.push({ action: "probe" });
    }
    // Only once, because the published engines differ in every such answer.
    if (this.#rareCapability !== null) steps.push({ action: "select", capability: this.#rareCapability });
    steps.push({ action: "probe" }, { action: "check_metrics" });
    return {
      name: this.#name,
      config: drawConfig(random),
      providers: this.#initial,
      capabilities: this.#capabilities,
      steps,
    };
  }

  #step(): Step {
    const random = this.#random;
    const draw = random.fraction();
    if (draw < 0.4) return { action: "select", capability: this.#selected() };
    if (draw < 0.7) return this.#observation();
    if (draw < 0.9) return { action: "advance_time_ms", ms: this.#pause() };
    if (draw < 0.93) return { action: "upsert_provider", ...this.#upserted() };
    if (draw < 0.945) return { action: "upsert_capability", ...this.#reupsertedCapability() };
    return this.#query();
  }

  #selected(): string {
    if (this.#random.chance(0.02)) return UNKNOWN_CAPABILITY;
    const capability = this.#random.one(CAPABILITIES);
    return capability === this.#rareCapability ? CAPABILITIES.find((other) => other !== capability)! : capability;
  }

  #observation(): ObserveStep {
    const random = this.#random;
    const provider = this.#anyProvider();
    const isFailure = random.chance(this.#failureRate);
    return {
      action: "observe",
      provider,
      ...(random.chance(0.3) ? { capability: random.one(CAPABILITIES) } : {}),
      ...(random.chance(0.9) ? { requests: this.#amount(provider, "requests", [0, 1, 1, 1, 1, 2, 5, 50]) } : {}),
      ...(random.chance(0.6) ? { tokens: this.#amount(provider, "tokens", [0, 10, 500, 3_000, 40_000]) } : {}),
      ...(random.chance(0.4) ? { bytes: this.#amount(provider, "bytes", [0, 100, 8_192, 1_000_000]) } : {}),
      ...(random.chance(0.4) ? { cost_micro_usd: this.#amount(provider, "cost_usd", [0, 7, 900, 120_000]) } : {}),
      status: isFailure ? random.one(FAILURES) : random.chance(0.15) ? "client_error" : "success",
      ...(random.chance(0.85) ? { latency_ms: this.#latency() } : {}),
    };
  }

  /** Draws an amount. Half of them are in proportion to a limit of the provider, so that quotas of any size run low. */
  #amount(provider: string, dimension: string, usual: readonly number[]): number {
    const random = this.#random;
    const quotas = this.#providers.get(provider)?.quotas ?? [];
    const limits = quotas.filter((quota) => quota.dimension === dimension).map((quota) => quota.limit);
    if (limits.length === 0 || random.chance(0.5)) return random.one(usual);
    const limit = random.one(limits);
    const share = random.one([0.02, 0.1, 0.3, 0.5, 0.9, 1]);
    return Math.max(0, Math.round(limit * share) + random.one([-1, 0, 0, 0, 1]));
  }

  #latency(): number {
    const random = this.#random;
    return random.chance(0.1) ? random.one([0, 1, 30_000]) : random.whole(0, random.one([200, 2_000, 30_000]));
  }

  #pause(): number {
    const random = this.#random;
    if (random.chance(0.25)) return random.one([0, 1, 10, 100, 290, 1_000, 5_000, 10_000, 30_000, 60_000]);
    return random.whole(0, random.chance(0.1) ? random.one([1e3, 60e3, 3_600e3, 450e6]) : this.#longestPauseMs);
  }

  /** Draws a provider to upsert: a registered one, unchanged or changed, or the late one that a capability might list. */
  #upserted(): FixtureProvider {
    const random = this.#random;
    const name = random.chance(0.15) ? LATE_PROVIDER : random.one([...this.#providers.keys()]);
    const known = this.#providers.get(name);
    const provider = known !== undefined && random.chance(0.3) ? known : drawProvider(random, name);
    this.#providers.set(name, provider);
    return provider;
  }

  #reupsertedCapability(): FixtureCapability {
    return this.#capability(this.#random.one(CAPABILITIES));
  }

  #capability(name: string): FixtureCapability {
    const names = { registered: [...this.#providers.keys()], unregistered: LATE_PROVIDER };
    return drawCapability(this.#random, name, names, name === this.#rareCapability);
  }

  #query(): Step {
    const random = this.#random;
    const provider = this.#anyProvider();
    switch (random.whole(0, 2)) {
      case 0:
        return { action: "check_health", provider };
      case 1:
        return { action: "check_in_cooldown", provider };
      default:
        return { action: "check_remaining", provider, dimension: random.one(DIMENSIONS) };
    }
  }

  #anyProvider(): string {
    return this.#random.chance(0.02) ? UNKNOWN_PROVIDER : this.#random.one([...this.#providers.keys()]);
  }
}
