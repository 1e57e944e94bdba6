import { fileURLToPath } from "node:url";
import { runInThisContext } from "node:vm";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A trial that takes longer than this never ends. */
const TIMEOUT_MS = 30_000;

/** A variant that runs a mutant more often than this never ends. */
const MAX_HITS = 20_000_000;

/** A changed engine. */
export interface Variant {
  /** The complete code; see `bundleOf`. */
  readonly bundle: string;
  /** Active mutant, if the code contains several. */
  readonly activeMutant?: string;
}

/** Bundles the engine and replay.ts into one script. `sources`: changed texts of files. */
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
 * Plays scenarios with variants of the engine. Every call uses a fresh variant. Variants share the globals of this process,
 * because a separate context makes them four times slower.
 */
export class VariantPlayer {
  /** `inputs` become globals that calls can read, but not change. */
  constructor(inputs: { readonly [name: string]: unknown }) {
    for (const [name, input] of Object.entries(inputs)) this.#set(name, frozen(input));
  }

  /** Returns the list that `call` evaluates to. */
  list(variant: Variant, call: string): unknown[] {
    const answer = this.ask(variant, call);
    if (!Array.isArray(answer)) throw new Error(`${call}: ${String(answer)}`);
    return answer;
  }

  /** Evaluates `call`, an expression with the exports of replay.ts. If it throws or never ends, returns the error as text. */
  ask({ bundle, activeMutant }: Variant, call: string): unknown {
    this.#set("__stryker__", { activeMutant, hitCount: 0, hitLimit: MAX_HITS });
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
