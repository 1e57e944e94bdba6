import { parseArgs } from "node:util";
import type { Repetition } from "./rounds.ts";

export interface Options extends Repetition {
  /** The parts to measure; empty: all. */
  readonly parts: readonly string[];
  /** Path of the dist/index.js of another build, which is measured beside this one. */
  readonly against: string | undefined;
}

/** Options of the command line: parts, then `--against PATH`, `--processes N` and `--rounds N`. */
export function options(knownParts: readonly string[], { processes, rounds }: Repetition): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      against: { type: "string" },
      processes: { type: "string", default: String(processes) },
      rounds: { type: "string", default: String(rounds) },
    },
  });
  for (const part of positionals) {
    if (!knownParts.includes(part)) throw new Error(`unknown part, got "${part}": use ${knownParts.join(", ")}`);
  }
  return {
    parts: positionals,
    against: values.against,
    processes: countOf("--processes", values.processes),
    rounds: countOf("--rounds", values.rounds),
  };
}

function countOf(name: string, text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${name}: not a count, got "${text}"`);
  return count;
}
