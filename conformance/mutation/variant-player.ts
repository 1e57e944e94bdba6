import { fileURLToPath } from "node:url";
import { type Context, createContext, runInContext } from "node:vm";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Longer than any trial takes: what is not done by then runs for ever. */
const TIMEOUT_MS = 120_000;

/** Plays with the engine as it is when one source file has another text. */
export class VariantPlayer {
  /** What a source that tells so was run through, since it was taken. */
  readonly reached: Set<number> = new Set();
  readonly #context: Context;
  #bundle = "";

  /** `inputs` become globals of the calls; calls cannot change them. */
  constructor(inputs: { readonly [name: string]: unknown }) {
    this.#context = createContext({ reached: this.reached });
    for (const [name, input] of Object.entries(inputs)) {
      this.#context["text"] = JSON.stringify(input);
      this.#run(`${name} = JSON.parse(text, (_, value) => Object.freeze(value))`);
    }
  }

  /** From now on `file` has this text. */
  async take(file: string, source: string): Promise<void> {
    const { outputFiles } = await build({
      entryPoints: [`${ROOT}conformance/mutation/replay.ts`],
      bundle: true,
      write: false,
      format: "iife",
      globalName: "replay",
      platform: "node",
      alias: { "grate-limiter": `${ROOT}src/index.ts` },
      logLevel: "silent",
      plugins: [
        {
          name: "other-source",
          setup: ({ onLoad }) => {
            onLoad({ filter: /\.ts$/ }, ({ path }) =>
              path === ROOT + file ? { contents: source, loader: "ts" } : undefined,
            );
          },
        },
      ],
    });
    this.#bundle = outputFiles[0]!.text;
    this.reached.clear();
  }

  /** True unless `call`, of what replay.ts exports, answers null; also if it throws or never ends. */
  isCaughtBy(call: string): boolean {
    try {
      return this.#run(`${this.#bundle}\n${call}`) !== null;
    } catch {
      return true;
    }
  }

  #run(code: string): unknown {
    return runInContext(code, this.#context, { timeout: TIMEOUT_MS });
  }
}
