import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const TSX = fileURLToPath(new URL("../../../node_modules/tsx/dist/cli.mjs", import.meta.url));

/** One of the programs in `examples/`, started as its first lines describe. */
export class Program {
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;

  constructor(name: string, args: readonly string[] = [], env: { readonly [name: string]: string } = {}) {
    const command = [TSX, "--tsconfig", "tsconfig.tools.json", `examples/${name}.ts`, ...args];
    // The settings of Vitest must not reach the program.
    const { PATH, HOME } = process.env;
    this.#child = spawn(process.execPath, command, { cwd: ROOT, env: { PATH, HOME, ...env } });
    this.#child.stdout!.setEncoding("utf8").on("data", (text) => {
      this.stdout += text;
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    this.#ended = once(this.#child, "close");
  }

  /** The exit code of the program. */
  async ended(): Promise<number | null> {
    const [code] = await this.#ended;
    return code as number | null;
  }

  get lines(): readonly string[] {
    return this.stdout.trimEnd().split("\n");
  }

  /** Resolves with the first match in the printed text, as soon as there is one. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout);
      if (match !== null) return match;
      if (this.#child.exitCode !== null) throw new Error(`it ended with code ${this.#child.exitCode}: ${this.stderr}`);
      await Promise.race([once(this.#child.stdout!, "data"), this.#ended]);
    }
  }

  stop(): void {
    this.#child.kill();
  }
}
