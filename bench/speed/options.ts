import { parseArgs } from "node:util";

<<<<<<< HEAD

export type Options = {}
=======

import type { Repetition } from "./rounds.ts";

export interface Options extends Repetition {
>>>>>>> bench
  /** The parts to measure; empty: all. */
  readonly parts: readonly string[];
  /** Path of the dist/index.js of another build, which is measured beside this one. */
  readonly against: string | undefined;
<<<<<<< HEAD
  /** Counted rounds of each side. */
  readonly rounds: number;
}

/** Options of the command line: parts, then `--against PATH` and `--rounds N`. */
export function options(knownParts: readonly string[], defaultRounds: number): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { against: { type: "string" }, rounds: { type: "string", default: String(defaultRounds) } },
=======
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
>>>>>>> bench
  });
  for (const part of positionals) {
    if (!knownParts.includes(part)) throw new Error(`unknown part, got "${part}": use ${knownParts.join(", ")}`);
  }
<<<<<<< HEAD
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error(`--rounds: not a count, got "${values.rounds}"`);
  return { parts: positionals, against: values.against, rounds };
=======
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
>>>>>>> bench
}
