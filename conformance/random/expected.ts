import type { Answer, Fixture, SelectAnswer, Step } from "../typescript/fixture.ts";

/**
 * Returns the scenario as a fixture that expects the answers of an engine. Numbers also have ranges, which older runners
 * check.
 */
export function fixtureOf(scenario: Fixture, answers: readonly Answer[], description: string): Fixture {
  const { name, config = {}, providers = [], capabilities = [] } = scenario;
  const steps = scenario.steps.map((step, place) => expecting(step, answers[place] ?? null));
  return { name, description, profile: ["classic"], config, providers, capabilities, steps };
}

function expecting(step: Step, answer: Answer): Step {
  const error = typeof answer === "object" && answer !== null && "error" in answer ? String(answer.error) : null;
  switch (step.action) {
    case "observe":
      return error === null ? step : { ...step, expect_error: error };
    case "select": {
      if (error !== null) return { ...step, expect_error: error };
      const { provider, score, breakdown, alternatives } = answer as SelectAnswer;
      const [quota, health, priority, latency] = breakdown.map(rounded) as [number, number, number, number];
      const exact = rounded(score);
      return {
        ...step,
        expect_provider: provider,
        expect_score: exact,
        expect_score_min: exact,
        expect_score_max: exact,
        expect_alternatives_count: alternatives.length,
        expect_alternatives: alternatives.map(([name, other]) => ({ provider: name, score: rounded(other) })),
        expect_breakdown: { quota, health, priority, latency },
      };
    }
    case "check_health": {
      if (answer === null) return { ...step, expect: null };
      const exact = rounded(answer as number);
      return { ...step, expect: exact, expect_min: exact, expect_max: exact };
    }
    case "check_remaining":
      return { ...step, expect: answer as number | null };
    case "check_in_cooldown":
      return { ...step, expect: answer as boolean | null };
    case "check_metrics":
      return { ...step, expect: answer as { readonly [counter: string]: number } };
    default:
      return step;
  }
}

/** Rounds to 10 digits: far below the tolerance of fixtures, and easier to read. */
function rounded(value: number): number {
  return Number(value.toFixed(10));
}

/** Formats a fixture as JSON, in the style of the committed fixtures. */
export function fixtureText(fixture: Fixture): string {
  return `${pretty(fixture, 0)}\n`;
}

const WIDTH = 120;

function pretty(value: unknown, indent: number): string {
  const line = inline(value);
  if (typeof value !== "object" || value === null) return line;
  const isList = Array.isArray(value);
  // The document and its lists of objects have one item per line.
  const isSpread = indent === 0 || (indent === 2 && isList && typeof value[0] === "object");
  if (!isSpread && indent + line.length <= WIDTH) return line;
  const pad = " ".repeat(indent + 2);
  const items = isList
    ? value.map((item) => pad + pretty(item, indent + 2))
    : Object.entries(value).map(([key, item]) => `${pad}${JSON.stringify(key)}: ${pretty(item, indent + 2)}`);
  const [open, close] = isList ? "[]" : "{}";
  return items.length === 0 ? `${open}${close}` : `${open}\n${items.join(",\n")}\n${" ".repeat(indent)}${close}`;
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return entries.length === 0
    ? "{}"
    : `{ ${entries.map(([key, item]) => `${JSON.stringify(key)}: ${inline(item)}`).join(", ")} }`;
}
