import { parseArgs } from "node:util";

export interface Options {
  /** The parts to measure; empty: all. */
  readonly parts: readonly string[];
  /** Path of the dist/index.js of another build, which is measured beside this one. */
  readonly against: string | undefined;
  /** Counted rounds of each side. */
  readonly rounds: number;
}

/** Options of the command line: parts, then `--against PATH` and `--rounds N`. */
export function options(knownParts: readonly string[], defaultRounds: number): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { against: { type: "string" }, rounds: { type: "string", default: String(defaultRounds) } },
  });
  for (const part of positionals) {
    if (!knownParts.includes(part)) throw new Error(`unknown part, got "${part}": use ${knownParts.join(", ")}`);
  }
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error(`--rounds: not a count, got "${values.rounds}"`);
  return { parts: positionals, against: values.against, rounds };
}
