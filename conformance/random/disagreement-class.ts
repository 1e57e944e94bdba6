// Known reasons why the answers of the Python package and the Rust crate differ. Differences are rare, and nearly
// always the result of rounding. A difference without one of these reasons is a new one.
import type { Answer, Fixture, ProviderProbe, SelectAnswer, Step } from "../typescript/fixture.ts";
import { type Difference, differencesOf, isNear, SINGLE_PRECISION } from "./comparison.ts";
import { type ExactProvider, ExactState, eligibleOf } from "./exact-state.ts";

/** A class of disagreement between the published engines. */
export type DisagreementClass = keyof typeof CLASSES;

export const CLASSES = {
  nan: "NaN part: all priorities are 0, and Rust reports 0 / 0",
  tie: "near tie: scores are closer than 32 bits can tell",
  threshold: "f32 threshold: health, ratio or exhaustion is on a threshold, except for rounding",
  token: "a token under the integer: Python sums doubles, Rust cuts to millionths",
  overflow: "u64 overflow: limit x max(1, elapsed / window) > 1.8e13",
  power: "cooldown power: cooldown x multiplier^n is a whole number of seconds, except for rounding",
} as const;

/** Follows the answers of both engines to one scenario, and finds the class of each disagreement. */
export class Classifier {
  readonly #state: ExactState;
  /** Providers with different quota levels in the two engines, because only one engine ranked (and so refilled) them. */
  readonly #diverged = new Map<string, DisagreementClass>();
  #countersDiverged: DisagreementClass | null = null;

  constructor(scenario: Fixture) {
    this.#state = new ExactState(scenario);
  }

  /** Returns the class of a disagreement at the next step. Undefined: the answers agree. Null: no known reason. */
  next(step: Step, python: Answer, rust: Answer): DisagreementClass | null | undefined {
    this.#state.play(step, python);
    if (step.action === "upsert_provider") this.#diverged.delete(step.name);
    const differences = differencesOf(python, rust, SINGLE_PRECISION);
    return differences.length === 0 ? undefined : this.#reason(step, python, rust, differences);
  }

  #reason(step: Step, python: Answer, rust: Answer, differences: readonly Difference[]): DisagreementClass | null {
    switch (step.action) {
      case "select":
        return this.#reasonOfSelection(step.capability, python, rust, differences);
      case "probe": {
        const classes = (python as readonly ProviderProbe[]).flatMap(({ provider }, place) => {
          const own = differences.filter(({ path }) => path.startsWith(`${place}.`));
          return own.length === 0 ? [] : [this.#reasonOfReading(provider, own)];
        });
        return classes.length > 0 ? commonClass(classes) : null;
      }
      case "check_remaining":
      case "check_in_cooldown":
      case "check_health": {
        const place = { check_remaining: "remaining", check_in_cooldown: "in_cooldown", check_health: "health" };
        return this.#reasonOfReading(
          step.provider,
          differences.map((difference) => ({ ...difference, path: place[step.action] })),
        );
      }
      case "check_metrics":
        return this.#countersDiverged ?? this.#doubtfulCooldown();
      default:
        return null;
    }
  }

  #reasonOfSelection(
    capability: string,
    python: Answer,
    rust: Answer,
    differences: readonly Difference[],
  ): DisagreementClass | null {
    const isNan = ({ path, other }: Difference) => path === "breakdown.2" && other === null;
    const others = differences.filter((difference) => !(isNan(difference) && this.#state.isAllZero(capability)));
    if (others.length === 0) return "nan";
    const differing = differingProviders(python, rust);
    if (differing.length > 0) return commonClass(differing.map((name) => this.#reasonOfRanking(name, python, rust)));
    if (isNearTie(python, rust)) return "tie";
    // If the quota weight is 0, the quota part is reported but does not change the scores.
    const winner = this.#state.providers.get((python as SelectAnswer).provider);
    const isQuotaPart = others.every(({ path }) => path === "breakdown.0");
    return isQuotaPart && winner !== undefined ? this.#reasonOfScore(winner) : null;
  }

  /** Finds the class for a provider that only one engine ranked, or that has different scores. */
  #reasonOfRanking(name: string, python: Answer, rust: Answer): DisagreementClass | null {
    const provider = this.#state.providers.get(name);
    if (provider === undefined) return null;
    if (eligibleOf(python).includes(name) === eligibleOf(rust).includes(name)) {
      return this.#diverged.get(name) ?? this.#reasonOfScore(provider);
    }
    const isOnMinimum = isNear(provider.health, this.#state.minimumHealth, SINGLE_PRECISION);
    const reason = isOnMinimum ? "threshold" : provider.hasDoubtfulCooldown ? "power" : null;
    if (reason !== null) {
      this.#diverged.set(name, reason);
      this.#countersDiverged = reason;
    }
    return reason;
  }

  #reasonOfScore({ buckets }: ExactProvider): DisagreementClass | null {
    if (buckets.some(({ bucket }) => bucket.isBeyond64Bits)) return "overflow";
    if (buckets.some(({ bucket }) => bucket.isNearWhole)) return "token";
    const { now } = this.#state;
    return buckets.some(({ bucket }) => bucket.isNearThreshold(now, SINGLE_PRECISION)) ? "threshold" : null;
  }

  /** Finds the class of differences in the health, the cooldown or the remaining amounts of one provider. */
  #reasonOfReading(name: string, differences: readonly Difference[]): DisagreementClass | null {
    const provider = this.#state.providers.get(name);
    if (provider === undefined) return null;
    return commonClass(differences.map((difference) => this.#reasonOfValue(provider, difference)));
  }

  #reasonOfValue(provider: ExactProvider, { path, one, other }: Difference): DisagreementClass | null {
    if (path.endsWith("in_cooldown")) return provider.hasDoubtfulCooldown ? "power" : null;
    if (!path.includes("remaining")) return null;
    if (provider.buckets.some(({ bucket }) => bucket.isBeyond64Bits)) return "overflow";
    const isByOne = Math.abs(Number(one) - Number(other)) === 1;
    return isByOne && provider.buckets.some(({ bucket }) => bucket.isNearWhole) ? "token" : null;
  }

  #doubtfulCooldown(): DisagreementClass | null {
    const isDoubtful = [...this.#state.providers.values()].some((provider) => provider.hasDoubtfulCooldown);
    return isDoubtful ? "power" : null;
  }
}

/** Returns the class of an answer with several differences: the first one, or null if any difference is unexplained. */
function commonClass(classes: readonly (DisagreementClass | null)[]): DisagreementClass | null {
  return classes.includes(null) ? null : classes[0]!;
}

/** Names of the providers that are not equally often in both rankings, or have different scores there. */
function differingProviders(python: Answer, rust: Answer): string[] {
  const [ours, theirs] = [scoresOf(python), scoresOf(rust)];
  return [...new Set([...ours.keys(), ...theirs.keys()])].filter((name) => {
    const [a, b] = [ours.get(name) ?? [], theirs.get(name) ?? []];
    return a.length !== b.length || a.some((score, place) => !isNear(score, b[place]!, SINGLE_PRECISION));
  });
}

function scoresOf(answer: Answer): Map<string, number[]> {
  const scores = new Map<string, number[]>();
  for (const [name, score] of rankingOf(answer)) scores.set(name, [...(scores.get(name) ?? []), score]);
  return scores;
}

/** True if both rankings have the same scores in the same order, but the providers in a different order. */
function isNearTie(python: Answer, rust: Answer): boolean {
  const [ours, theirs] = [rankingOf(python), rankingOf(rust)];
  const isMoved = ours.some(([name], place) => name !== theirs[place]?.[0]);
  return isMoved && ours.every(([, score], place) => isNear(score, theirs[place]![1], SINGLE_PRECISION));
}

function rankingOf(answer: Answer): readonly (readonly [name: string, score: number])[] {
  if (eligibleOf(answer).length === 0) return [];
  const { provider, score, alternatives } = answer as SelectAnswer;
  return [[provider, score], ...alternatives];
}
