import { mkdirSync, writeFileSync } from "node:fs";
import type { Answer, Fixture } from "../typescript/fixture.ts";
import { CLASSES, type DisagreementClass } from "./disagreement-class.ts";
import { fixtureOf, fixtureText } from "./expected.ts";
import { CHOICE, KINDS, Occurrences } from "./kinds.ts";
import { scenarioOf } from "./scenario.ts";
import { shrink, withProbesSpelledOut } from "./shrink.ts";
import { type Answers, judge, sentenceOf, type Verdict } from "./verdict.ts";

/** An engine that answers scenarios, as a runner does. */
export interface Engine {
  play(scenario: Fixture): Promise<readonly Answer[]>;
}

export type Engines = { readonly [language in keyof Answers]: Engine };

/** Number of scenarios in progress simultaneously, large enough that no runner waits for another one. */
const MAX_IN_PROGRESS = 24;

/** Number of violations that are shrunk and printed; further ones mostly have the same cause. */
const MAX_SHRUNK = 5;

const MAX_DISAGREEMENT_SHARE = 0.002;
const MIN_CHOICE_SHARE = 0.2;

/** Results of random scenarios of one seed or several. */
export class RandomRun {
  readonly #engines: Engines;
  readonly #found: string;
  readonly #print: (text: string) => void;
  readonly #occurrences = new Occurrences();
  readonly #disagreements = new Map<DisagreementClass, number>();
  #scenarios = 0;
  #violations = 0;

  /** `found`: folder for the fixtures of violations. */
  constructor(engines: Engines, found: string, print: (text: string) => void = console.log) {
    this.#engines = engines;
    this.#found = found;
    this.#print = print;
  }

  /** Plays the scenarios of a seed and checks the rule. Shrinks every violation, and writes a fixture of it. */
  async play(seed: number, count: number): Promise<void> {
    const inProgress: Promise<readonly [Fixture, Answers]>[] = [];
    for (let index = 0; index < count + MAX_IN_PROGRESS; index++) {
      if (index < count) inProgress.push(this.#answered(scenarioOf(seed, index)));
      if (inProgress.length < MAX_IN_PROGRESS && index < count) continue;
      const next = inProgress.shift();
      if (next === undefined) break;
      const [scenario, answers] = await next;
      this.#scenarios++;
      this.#occurrences.add(scenario, answers.python);
      const verdict = judge(scenario, answers);
      for (const [reason, times] of verdict.disagreements) {
        this.#disagreements.set(reason, (this.#disagreements.get(reason) ?? 0) + times);
      }
      if (verdict.violations.length > 0) await this.#report(scenario, verdict);
    }
  }

  /** Prints the counts. Returns the reasons why the run fails; empty if it passes. */
  conclude(): string[] {
    const { answers, counts, missing } = this.#occurrences;
    const choices = counts.get(CHOICE)!;
    const disagreements = [...this.#disagreements.values()].reduce((sum, times) => sum + times, 0);
    const share = (part: number) => `${((100 * part) / answers).toFixed(3)} %`;
    this.#print(`\nscenarios ${this.#scenarios}, answers ${answers}`);
    this.#print(`selects that chose between two or more: ${choices}, ${share(choices)} of the answers`);
    this.#print(`disagreements with this package by the rule: ${this.#violations}`);
    this.#print(`Python and Rust differ in ${disagreements} answers, ${share(disagreements)}:`);
    for (const reason of Object.keys(CLASSES) as DisagreementClass[]) {
      this.#print(`  ${String(this.#disagreements.get(reason) ?? 0).padStart(6)}  ${CLASSES[reason]}`);
    }
    this.#print("\nhow often each kind occurred:");
    this.#print(inColumns(KINDS.map((kind) => `${String(counts.get(kind)).padStart(8)}  ${kind}`)));
    return [
      ...(this.#violations > 0 ? [`${this.#violations} scenarios violate the rule`] : []),
      ...missing.map((kind) => `no scenario holds "${kind}"`),
      ...(choices < MIN_CHOICE_SHARE * answers ? ["selects with a choice are under 20 % of the answers"] : []),
      ...(disagreements > MAX_DISAGREEMENT_SHARE * answers
        ? ["Python and Rust differ in over 0.2 % of the answers"]
        : []),
    ];
  }

  async #answered(scenario: Fixture): Promise<readonly [Fixture, Answers]> {
    const { typescript, python, rust } = this.#engines;
    const [ours, pythons, rusts] = await Promise.all([
      typescript.play(scenario),
      python.play(scenario),
      rust.play(scenario),
    ]);
    return [scenario, { typescript: ours, python: pythons, rust: rusts }];
  }

  async #report(scenario: Fixture, { violations }: Verdict): Promise<void> {
    this.#violations++;
    const first = violations[0]!;
    this.#print(`\n${scenario.name}, ${first.between}: ${sentenceOf(first, scenario)}`);
    if (this.#violations > MAX_SHRUNK) return;
    const violation = async (candidate: Fixture) => {
      const [, answers] = await this.#answered(candidate);
      return judge(candidate, answers).violations.find(({ between }) => between === first.between);
    };
    const spelledOut = withProbesSpelledOut(scenario);
    const isStillSeen = (await violation(spelledOut)) !== undefined;
    const small = await shrink(
      isStillSeen ? spelledOut : scenario,
      async (candidate) => (await violation(candidate)) !== undefined,
    );
    const shown = (await violation(small))!;
    const why = `Found by a random scenario: ${first.between} differ. ${sentenceOf(shown, small)}.`;
    const [, { python }] = await this.#answered(small);
    const text = fixtureText(fixtureOf({ ...small, name: `found-${scenario.name}` }, python, why));
    const file = `${this.#found}/found-${scenario.name}.json`;
    mkdirSync(this.#found, { recursive: true });
    writeFileSync(file, text);
    this.#print(`shrunk to ${small.steps.length} steps, written to ${file}\n${text}`);
  }
}

/** Formats lines in three columns. */
function inColumns(lines: readonly string[]): string {
  const rows = Math.ceil(lines.length / 3);
  const widest = Math.max(...lines.map((line) => line.length));
  return Array.from({ length: rows }, (_, row) =>
    [0, 1, 2]
      .map((column) => (lines[row + column * rows] ?? "").padEnd(widest))
      .join("")
      .trimEnd(),
  ).join("\n");
}
