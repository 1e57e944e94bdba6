import { fileURLToPath } from "node:url";
import { runInThisContext } from "node:vm";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Longer than any trial takes: what is not done by then runs for ever. */
const TIMEOUT_MS = 30_000;

/** More often than any scenario comes across a mutant: what is asked for more often runs for ever. */
const MOST_HITS = 100_000_000;

/** The engine with changes. */
export interface Variant {
  /** All of its code: see `bundleOf`. */
  readonly bundle: string;
  /** Which of the mutants that the code holds is at work. */
  readonly activeMutant?: string;
}

/** The engine and what plays it, in one script; `sources` are other texts of files of src. */
export async function bundleOf(sources: ReadonlyMap<string, string>): Promise<string> {
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
        name: "other-sources",
        setup: ({ onLoad }) => {
          onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const contents = sources.get(path.slice(ROOT.length));
            return contents === undefined ? undefined : { contents, loader: "ts" };
          });
        },
      },
    ],
  });
  return outputFiles[0]!.text;
}

/**
 * Plays with variants of the engine, each of them new for each call. Their globals are those of this process: in a
 * context of their own they are four times slower.
 */
export class VariantPlayer {
  /** `inputs` become globals of the calls; calls cannot change them. */
  constructor(inputs: { readonly [name: string]: unknown }) {
    for (const [name, input] of Object.entries(inputs)) this.#set(name, frozen(input));
  }

  /** The list that `call` answers. */
  list(variant: Variant, call: string): unknown[] {
    const answer = this.ask(variant, call);
    if (!Array.isArray(answer)) throw new Error(`${call}: ${String(answer)}`);
    return answer;
  }

  /** What `call`, of what replay.ts exports, answers; if it throws or never ends, why. */
  ask({ bundle, activeMutant }: Variant, call: string): unknown {
    this.#set("__stryker__", { activeMutant, hitCount: 0, hitLimit: MOST_HITS });
    try {
      this.#run(bundle);
      return this.#run(call);
    } catch (error) {
      return String(error);
    }
  }

  #set(name: string, value: unknown): void {
    (globalThis as { [name: string]: unknown })[name] = value;
  }

  #run(code: string): unknown {
    return runInThisContext(code, { timeout: TIMEOUT_MS });
  }
}

function frozen(value: unknown): unknown {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}
