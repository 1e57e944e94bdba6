import type { Answer, Fixture, SelectAnswer, SelectStep, Step } from "./fixture.ts";
import { Player } from "./player.ts";

/** Tolerance of our exact expectations, and of the shared format's ranges. */
const EXACT = 1e-9;
const RANGE = 1e-3;

/** Plays a fixture and returns one line per expectation that was not met. Empty: the fixture passes. */
export function failuresOf(fixture: Fixture, profile: "classic" | "anticipatory"): string[] {
  const player = new Player(fixture, profile);
  return fixture.steps.flatMap((step, place) => {
    const answer = player.play(step);
    return complaintsOf(step, answer).map((complaint) => `step ${place} (${step.action}): ${complaint}`);
  });
}

function complaintsOf(step: Step, answer: Answer): string[] {
  switch (step.action) {
    case "observe":
      return same("error", errorOf(answer), step.expect_error ?? null);
    case "select": {
      const error = errorOf(answer);
      const complaints = same("error", error, step.expect_error ?? null);
      return error === null && complaints.length === 0 ? decisionComplaints(step, answer as SelectAnswer) : complaints;
    }
    case "check_health":
      return [
        ...(step.expect === null ? same("health", answer, null) : near("health", answer, step.expect)),
        ...within("health", answer, step.expect_min, step.expect_max),
      ];
    case "check_remaining":
    case "check_in_cooldown":
      return step.expect === undefined ? [] : same(step.action.slice("check_".length), answer, step.expect);
    case "check_metrics":
      return Object.entries(step.expect ?? {}).flatMap(([counter, count]) =>
        same(counter, (answer as { [counter: string]: number })[counter], count),
      );
    default:
      return same("error", errorOf(answer), null);
  }
}

function decisionComplaints(step: SelectStep, decision: SelectAnswer): string[] {
  const { alternatives, breakdown } = decision;
  const expected = step.expect_alternatives;
  return [
    ...(step.expect_provider === undefined ? [] : same("provider", decision.provider, step.expect_provider)),
    ...near("score", decision.score, step.expect_score),
    ...within("score", decision.score, step.expect_score_min, step.expect_score_max),
    ...(step.expect_alternatives_count === undefined
      ? []
      : same("number of alternatives", alternatives.length, step.expect_alternatives_count)),
    ...(expected === undefined
      ? []
      : [
          ...same(
            "alternatives",
            alternatives.map(([name]) => name).join(),
            expected.map(({ provider }) => provider).join(),
          ),
          ...expected.flatMap(({ provider, score }, place) =>
            near(`score of ${provider}`, alternatives[place]?.[1], score),
          ),
        ]),
    ...["quota", "health", "priority", "latency"].flatMap((part, place) =>
      near(`${part} part`, breakdown[place], step.expect_breakdown?.[part as "quota"]),
    ),
  ];
}

function errorOf(answer: Answer): string | null {
  return typeof answer === "object" && answer !== null && "error" in answer ? (answer.error as string) : null;
}

function same(what: string, got: unknown, expected: unknown): string[] {
  return got === expected ? [] : [`${what}: expected ${String(expected)}, got ${String(got)}`];
}

function near(what: string, got: unknown, expected: number | null | undefined): string[] {
  if (expected === undefined || expected === null) return [];
  const isNear = typeof got === "number" && Math.abs(got - expected) <= EXACT;
  return isNear ? [] : [`${what}: expected ${expected}, got ${String(got)}`];
}

function within(what: string, got: unknown, least: number | undefined, most: number | undefined): string[] {
  if (least === undefined && most === undefined) return [];
  const isWithin = typeof got === "number" && got >= (least ?? got) - RANGE && got <= (most ?? got) + RANGE;
  return isWithin ? [] : [`${what}: expected ${least ?? "any"} to ${most ?? "any"}, got ${String(got)}`];
}
