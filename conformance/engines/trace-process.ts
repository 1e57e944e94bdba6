import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Answer, Fixture } from "../typescript/fixture.ts";
import type { Language, Runner } from "./languages.ts";

/** A running trace process: each line of input is a scenario, and each line of output has its answers. */
export class TraceProcess {
  readonly language: Language;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: { resolve(answers: readonly Answer[]): void; reject(error: Error): void }[] = [];
  readonly #engine: Promise<string>;
  #stderr = "";
  #failure: Error | null = null;

  constructor({ language, command, leadingArguments }: Runner) {
    this.language = language;
    this.#child = spawn(command, [...leadingArguments, "--trace"]);
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#answer(line));
    this.#engine = new Promise((resolve) => {
      createInterface({ input: this.#child.stderr }).on("line", (line) => {
        const engine = / engine: (.+)$/.exec(line)?.[1];
        if (engine !== undefined) resolve(engine);
        else this.#stderr += `${line}\n`;
      });
    });
    const fail = (why: string) => {
      this.#failure ??= new Error(`the ${language} runner ${why}\n${this.#stderr}`);
      for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
    };
    this.#child.on("error", (error) => fail(`did not start: ${error.message}`));
    this.#child.on("close", (code) => fail(`ended (${code})`));
    // The `close` event reports a runner that ended, so its write errors are ignored.
    this.#child.stdin.on("error", () => {});
  }

  /** Name and version of the engine, as the runner reports them. Resolves once the runner has started. */
  get engine(): Promise<string> {
    return this.#engine;
  }

  /** Returns the answers to the steps of a scenario. Rejects if the runner ends or cannot play it. */
  play(scenario: Fixture): Promise<readonly Answer[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${JSON.stringify(scenario)}\n`);
    });
  }

  /** Ends the runner after it has answered all scenarios. */
  close(): void {
    this.#child.stdin.end();
  }

  #answer(line: string): void {
    const { resolve, reject } = this.#waiting.shift()!;
    const {
      name,
      answers,
      not_applicable: reason,
    } = JSON.parse(line) as {
      name: string;
      answers?: Answer[];
      not_applicable?: string;
    };
    if (answers !== undefined) resolve(answers);
    else reject(new Error(`the ${this.language} runner cannot play ${name}: ${reason}`));
  }
}
