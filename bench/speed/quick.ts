// `npm run bench:quick`: select + observe with `capability`, alternatives read, in both profiles beside the published Rust crate.
// For work on the engine: it takes about a minute, prints a table of ratios, and stores nothing.
//
//   npm run bench:quick -- --against PATH/dist/index.js    also measures another build of the package
//   npm run bench:quick -- --processes 2 --rounds 4          of each side; these are the defaults
import { decisionGroup, earlierName, PROFILES, profilePrograms, SIZES, WITH_CAPABILITY } from "./decision-groups.ts";
import { options } from "./options.ts";
import { type Measured, measured } from "./rounds.ts";
import { compiledAgainst, compiledSides, rust } from "./sides.ts";
import { ordinary } from "./work.ts";

const { against, processes, rounds } = options([], { processes: 2, rounds: 4 });
const crate = rust();
const earlier = against === undefined ? undefined : await compiledAgainst(against);
const programs = [...profilePrograms("decisions", await compiledSides(), earlier), ...(crate === null ? [] : [crate])];
const sides = programs.map(({ name }) => name);

const groups: Measured[] = [];
for (const size of SIZES) {
  const group = decisionGroup(WITH_CAPABILITY, programs, ordinary("both", size));
  groups.push(await measured(group, { processes, rounds }));
  console.log(`${size} providers: ${sides.map((side) => `${side} ${time(groups.at(-1)!, side)}`).join(", ")}`);
}

console.log(
  `\nselect + observe with capability, alternatives read; best of ${processes * rounds} rounds in ${processes} processes; above 1: this build is faster\n`,
);
row("providers", SIZES.map(String));
for (const profile of PROFILES) {
  if (crate !== null) ratios(`Rust / ${profile}`, "rust", profile);
  if (earlier !== undefined) ratios(`earlier / ${profile}`, earlierName(profile), profile);
}

function ratios(title: string, other: string, own: string): void {
  row(
    title,
    groups.map(({ sides: found }) => (found[other]!.best / found[own]!.best).toFixed(2)),
  );
}

function row(title: string, cells: readonly string[]): void {
  console.log(title.padEnd(24) + cells.map((cell) => cell.padStart(8)).join(""));
}

/** The best time, and the spread of the rounds above it. */
function time(group: Measured, side: string): string {
  const { best, spread } = group.sides[side]!;
  return `${Math.round(best).toLocaleString("en")} ns (+${(100 * spread).toFixed(0)} %)`;
}
