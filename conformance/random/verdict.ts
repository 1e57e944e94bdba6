import type { Answer, Fixture } from "../typescript/fixture.ts";
import { type Difference, described, differencesOf, SAME_ARITHMETIC, SINGLE_PRECISION } from "./comparison.ts";
import { Classifier, type DisagreementClass } from "./disagreement-class.ts";

/** What the engines answered to the steps of one scenario. */
export interface Answers {
  readonly typescript: readonly Answer[];
  readonly python: readonly Answer[];
  readonly rust: readonly Answer[];
}

/** A step at which the rule is broken. */
export interface Violation {
  readonly step: number;
  /** Which engines differ there. */
  readonly between: "typescript and python" | "typescript and rust" | "python and rust";
  readonly differences: readonly Difference[];
}

/** One scenario, judged. */
export interface Verdict {
  readonly violations: readonly Violation[];
  /** How many answers of the published engines differ, by class. */
  readonly disagreements: ReadonlyMap<DisagreementClass, number>;
}

// A number may be as far from Rust's as Python's is, and as far from Python's as ours may be.
const AGAINST_RUST = SINGLE_PRECISION + SAME_ARITHMETIC;

/**
 * The rule: every answer equals Python's, and equals Rust's wherever Rust and Python agree; where these two do not, it
 * is for a known reason.
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

/** A violation in words. */
export function sentenceOf({ step, between, differences }: Violation, scenario: Fixture): string {
  const [one, other] = between.split(" and ") as [string, string];
  const shown = differences.slice(0, 3).map((difference) => described(difference, [one, other]));
  const rest = differences.length > 3 ? `, and ${differences.length - 3} more` : "";
  return `step ${step} (${scenario.steps[step]!.action}): ${shown.join("; ")}${rest}`;
}
