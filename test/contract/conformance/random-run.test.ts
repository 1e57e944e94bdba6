import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Engine, type Engines, RandomRun } from "../../../conformance/random/run.ts";
import { failuresOf } from "../../../conformance/typescript/expectations.ts";
import type { Fixture } from "../../../conformance/typescript/fixture.ts";
import { engine } from "../../support/conformance-engines.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "conformance-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A run that compares `typescript` with two correct engines. */
async function run(typescript: Engine, count: number, others: Partial<Engines> = {}) {
  const printed: string[] = [];
  const engines = { typescript, python: engine(), rust: engine(), ...others };
  const random = new RandomRun(engines, folder, (text) => printed.push(text));
  await random.play(7, count);
  return { failures: random.conclude(), printed: printed.join("\n") };
}

function found(): Fixture[] {
  return readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as Fixture);
}

/** An engine with these health options, whatever the scenario states. */
const misreading = (options: { readonly [option: string]: number }) =>
  engine((scenario) => ({
    ...scenario,
    config: { ...scenario.config, health: { ...scenario.config?.health, ...options } },
  }));

describe("a random run", () => {
  it("a random run passes if all engines agree, and prints how often each kind occurred", async () => {
    const { failures, printed } = await run(engine(), 200);
    expect(failures).toEqual([]);
    expect(printed).toMatch(/scenarios 200, answers \d+/);
    expect(printed).toMatch(/\d+ {2}health: half-life 0/);
    expect(found()).toEqual([]);
  });

  it("a random run fails if a kind is missing", async () => {
    const { failures } = await run(engine(), 3);
    expect(failures).toContain('no scenario holds "capability: all priorities 0"');
  });

  it("a random run detects a wrong engine and shrinks the scenario to a small fixture", async () => {
    const wrong = misreading({ penalty_timeout: 0.2001 });
    const { failures, printed } = await run(wrong, 4);
    expect(failures[0]).toMatch(/\d scenarios violate the rule/);
    expect(printed).toContain("typescript and python");
    const fixtures = found();
    expect(fixtures.length).toBeGreaterThan(0);
    for (const fixture of fixtures) {
      expect(fixture.steps.length).toBeLessThanOrEqual(4);
      expect(failuresOf(fixture, "classic")).toEqual([]);
      const misread = { ...fixture, config: { ...fixture.config, health: { penalty_timeout: 0.2001 } } };
      expect(failuresOf(misread, "classic")).not.toEqual([]);
    }
  });

  it("a random run detects a difference that only a counter shows", async () => {
    const wrong: Engine = {
      play: async (scenario) => {
        const answers = await engine().play(scenario);
        return answers.map((answer) =>
          answer !== null && typeof answer === "object" && "selects" in answer
            ? { ...answer, selects: (answer["selects"] as number) + 1 }
            : answer,
        );
      },
    };
    await run(wrong, 1);
    expect(found()[0]!.steps).toEqual([{ action: "check_metrics", expect: expect.objectContaining({ selects: 0 }) }]);
  });

  it("a random run detects published engines that differ without a known reason", async () => {
    const { failures, printed } = await run(engine(), 6, { rust: misreading({ boost_success: 0.5 }) });
    expect(failures[0]).toMatch(/violate the rule/);
    expect(printed).toContain("python and rust");
  });
});
