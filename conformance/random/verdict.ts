import type { Answer, Fixture } from "../typescript/fixture.ts";
import { type Difference, described, differencesOf, SAME_ARITHMETIC, SINGLE_PRECISION } from "./comparison.ts";
import { Classifier, type DisagreementClass } from "./disagreement-class.ts";

/** Answers of the engines to the steps of one scenario. */
export interface Answers {
  readonly typescript: readonly Answer[];
  readonly python: readonly Answer[];
  readonly rust: readonly Answer[];
}

/** A step at which the answers violate the rule. */
export interface Violation {
  readonly step: number;
  /** The two engines that differ. */
  readonly between: "typescript and python" | "typescript and rust" | "python and rust";
  readonly differences: readonly Difference[];
}

/** Violations and known disagreements of one scenario. */
export interface Verdict {
  readonly violations: readonly Violation[];
  /** Number of different answers of the published engines, by class. */
  readonly disagreements: ReadonlyMap<DisagreementClass, number>;
}

// The distance of Python's number from Rust's, plus the distance of ours from Python's.
const AGAINST_RUST = SINGLE_PRECISION + SAME_ARITHMETIC;

/**
 * Checks the rule: every answer equals Python's. It also equals Rust's if Rust and Python agree; if they do not agree, there
 * is a known reason.
 */
export function judge(scenario: Fixture, { typescript, python, rust }: Answers): Verdict {
  const classifier = new Classifier(scenario);
  const violations: Violation[] = [];
  const disagreements = new Map<DisagreementClass, number>();
  const expect = (step: number, between: Violation["between"], differences: readonly Difference[]) => {
    if (differences.length > 0) violations.push({ step, between, differences });
  };
  for (const [place, step] of scenario.steps.entries()) {
    const [ours, pythons, rusts] = [typescript[place] ?? null, python[place] ?? null, rust[place] ?? null];
    expect(place, "typescript and python", differencesOf(ours, pythons, SAME_ARITHMETIC));
    const reason = classifier.next(step, pythons, rusts);
    if (reason === undefined) expect(place, "typescript and rust", differencesOf(ours, rusts, AGAINST_RUST));
    else if (reason === null) expect(place, "python and rust", differencesOf(pythons, rusts, SINGLE_PRECISION));
    else disagreements.set(reason, (disagreements.get(reason) ?? 0) + 1);
  }
  return { violations, disagreements };
}

/** Describes a violation. */
export function sentenceOf({ step, between, differences }: Violation, scenario: Fixture): string {
  const [one, other] = between.split(" and ") as [string, string];
  const shown = differences.slice(0, 3).map((difference) => described(difference, [one, other]));
  const rest = differences.length > 3 ? `, and ${differences.length - 3} more` : "";
  return `step ${step} (${scenario.steps[step]!.action}): ${shown.join("; ")}${rest}`;
}
