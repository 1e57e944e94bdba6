import { describe, expect, it } from "vitest";
import { judge, sentenceOf } from "../../../conformance/random/verdict.ts";
import type { Answer, Fixture, SelectAnswer, Step } from "../../../conformance/typescript/fixture.ts";
import { fixtureFiles, readFixture } from "../../../conformance/typescript/run.ts";
import { answersOf } from "../../support/conformance-engines.ts";

function fixtureNamed(name: string): Fixture {
  return readFixture(fixtureFiles().find((file) => file.endsWith(`/${name}.json`))!);
}

/**
 * The verdict if Rust answers one step like this, and everything else like this package. Python answers like this
 * package.
 */
function judged(scenario: Fixture, place: number, rust: (answer: never) => Answer) {
  const answers = answersOf(scenario);
  const other = answers.with(place, rust(answers.at(place) as never));
  return judge(scenario, { typescript: answers, python: answers, rust: other });
}

/** The class of that disagreement, or that it has none. */
function classOf(scenario: Fixture, place: number, rust: (answer: never) => Answer): string {
  const { violations, disagreements } = judged(scenario, place, rust);
  return violations.length > 0 ? violations.map(({ between }) => between).join() : [...disagreements.keys()].join();
}

const swapped = ({ provider, score, alternatives: [second, ...rest], ...answer }: SelectAnswer): Answer => ({
  ...answer,
  provider: second![0],
  score: second![1],
  alternatives: [[provider, score], ...rest],
});

const REFUSED = { error: "no_available_providers" };
const UNKNOWN_REASON = "python and rust";

describe("the rule for answers", () => {
  const scenario = fixtureNamed("failover-in-three-steps");
  const answers = answersOf(scenario);
  const place = scenario.steps.findIndex(({ action }) => action === "select");
  const shifted = (by: number) => {
    const answer = answers[place] as SelectAnswer;
    return answers.with(place, { ...answer, score: answer.score + by });
  };

  it("equal answers pass", () => {
    expect(judge(scenario, { typescript: answers, python: answers, rust: answers }).violations).toEqual([]);
  });

  it("this package must equal Python within 1e-9", () => {
    const other = (by: number) => judge(scenario, { typescript: shifted(by), python: answers, rust: answers });
    expect(other(0.9e-9).violations).toEqual([]);
    const [violation] = other(1.1e-9).violations;
    expect(violation).toMatchObject({ step: place, between: "typescript and python" });
    expect(sentenceOf(violation!, scenario)).toMatch(/^step \d+ \(select\): score: typescript 1\.0+11, python 1$/);
  });

  it("this package must equal Rust if Rust and Python agree", () => {
    const rust = shifted(-0.9e-5);
    expect(judge(scenario, { typescript: answers, python: answers, rust }).violations).toEqual([]);
    const { violations } = judge(scenario, { typescript: shifted(1e-6), python: answers, rust });
    expect(violations.map(({ between }) => between)).toEqual(["typescript and python"]);
    const far = judge(scenario, { typescript: shifted(0.5e-5), python: answers, rust });
    expect(far.violations.map(({ between }) => between)).toEqual(["typescript and python", "typescript and rust"]);
  });

  it("every answer is required, and a missing one is a violation", () => {
    const { violations } = judge(scenario, { typescript: answers.slice(0, -1), python: answers, rust: answers });
    expect(violations.length).toBeGreaterThan(0);
  });

  it("a difference between Rust and Python needs a reason", () => {
    expect(classOf(scenario, place, ({ score, ...answer }: SelectAnswer) => ({ ...answer, score: score - 0.1 }))).toBe(
      UNKNOWN_REASON,
    );
    expect(classOf(scenario, place, () => REFUSED)).toBe(UNKNOWN_REASON);
  });
});

describe("the class of a disagreement", () => {
  const zero = fixtureNamed("all-priorities-zero");
  const lastSelect = (scenario: Fixture) => scenario.steps.findLastIndex(({ action }) => action === "select");
  const nanPart = ({ breakdown, ...answer }: SelectAnswer): Answer => ({
    ...answer,
    breakdown: breakdown.with(2, null as unknown as number),
  });

  it("a NaN part has its class only if all priorities are 0", () => {
    expect(classOf(zero, lastSelect(zero), nanPart)).toBe("nan");
    const other = fixtureNamed("documented-quick-start");
    expect(classOf(other, lastSelect(other), nanPart)).toBe(UNKNOWN_REASON);
  });

  it("a near tie has its class only if just the order of nearly equal scores differs", () => {
    const near = fixtureNamed("ports-scores-closer-than-a-float");
    expect(classOf(near, 1, swapped)).toBe("tie");
    const far = fixtureNamed("exhaustion-at-30-seconds");
    expect(classOf(far, lastSelect(far), swapped)).toBe(UNKNOWN_REASON);
  });

  it("a threshold has its class if health is at the minimum, and so do its consequences", () => {
    const scenario = fixtureNamed("ports-health-just-above-the-minimum");
    expect(classOf(scenario, 6, () => REFUSED)).toBe("threshold");
    const metered: Fixture = { ...scenario, steps: [...scenario.steps, { action: "check_metrics" }] };
    const answers = answersOf(metered);
    const rust = answers.with(6, REFUSED).with(7, { ...(answers[7] as object), no_provider_available: 1 } as Answer);
    const { violations, disagreements } = judge(metered, { typescript: answers, python: answers, rust });
    expect(violations).toEqual([]);
    expect(disagreements).toEqual(new Map([["threshold", 2]]));
    const healthy: Fixture = { ...scenario, steps: scenario.steps.slice(1) };
    expect(classOf(healthy, 5, () => REFUSED)).toBe(UNKNOWN_REASON);
  });

  it("a threshold has its class if the forecast is at it, and only then", () => {
    const scenario = fixtureNamed("exhaustion-at-30-seconds");
    const place = lastSelect(scenario);
    const penalised = (name: string) => (answer: SelectAnswer) => ({
      ...answer,
      ...(answer.provider === name ? { score: answer.score - 0.08 } : {}),
      alternatives: answer.alternatives.map(
        ([other, score]) => [other, other === name ? score - 0.08 : score] as const,
      ),
    });
    expect(classOf(scenario, place, penalised("at"))).toBe("threshold");
    const later = { action: "advance_time_ms", ms: 60_000 } as const;
    const calm: Fixture = { ...scenario, steps: scenario.steps.toSpliced(place, 0, later) };
    expect(classOf(calm, place + 1, penalised("at"))).toBe(UNKNOWN_REASON);
  });

  it("a token below the integer has its class if a bucket differs by one", () => {
    const scenario = fixtureNamed("ports-refill-in-tenths");
    expect(classOf(scenario, 6, () => 1)).toBe("token");
    expect(classOf(scenario, 6, () => 2)).toBe(UNKNOWN_REASON);
    expect(classOf(scenario, 4, () => 1)).toBe(UNKNOWN_REASON);
  });

  it("an overflow has its class if 64 bits of millionths are too few", () => {
    const scenario = fixtureNamed("ports-refill-beyond-64-bits");
    expect(classOf(scenario, 2, () => 255_926_290)).toBe("overflow");
    const shorter = scenario.steps.map(
      (step): Step => (step.action === "advance_time_ms" ? { ...step, ms: 17_000 } : step),
    );
    expect(classOf({ ...scenario, steps: shorter }, 2, () => 5)).toBe(UNKNOWN_REASON);
  });

  it("a cooldown power has its class if a power is an integer except for rounding", () => {
    const scenario = fixtureNamed("ports-cooldown-power");
    expect(classOf(scenario, 7, () => true)).toBe("power");
    const config = { health: { ...scenario.config?.health, cooldown_multiplier: 1.25 } };
    expect(classOf({ ...scenario, config }, 7, (answer: boolean) => !answer)).toBe(UNKNOWN_REASON);
  });

  it("every part of a probe is classified", () => {
    const base = fixtureNamed("ports-refill-in-tenths");
    const scenario: Fixture = { ...base, steps: base.steps.with(6, { action: "probe" }) };
    const probed = (change: object) => (answer: readonly { remaining: object }[]) =>
      [{ ...answer[0]!, ...change, remaining: { ...answer[0]!.remaining, requests: 1 } }] as unknown as Answer;
    expect(classOf(scenario, 6, probed({}))).toBe("token");
    expect(classOf(scenario, 6, probed({ health: 0.5 }))).toBe(UNKNOWN_REASON);
    expect(classOf(scenario, 6, probed({ in_cooldown: true }))).toBe(UNKNOWN_REASON);
  });
});
