// What Stryker does not change: numbers, and the order of things.
import { fixtureFiles, readFixture } from "../typescript/run.ts";
import type { Mutant } from "./mutant.ts";
import { sourceOf } from "./reached-files.ts";
import { readRecord } from "./record.ts";
import { enclosingName, numbersIn } from "./source-places.ts";
import { VariantPlayer } from "./variant-player.ts";

/** A change that takes more than one number. */
interface Rewrite {
  readonly file: string;
  /** What is wrong then. */
  readonly what: string;
  readonly from: RegExp;
  readonly to: string;
}

const REWRITES: readonly Rewrite[] = [
  {
    file: "src/health/ported-health.ts",
    what: "the lesson before the decay",
    from: /( *this\.#decay\(now\);\n)([\s\S]*?)( *this\.#at = [^\n]*\n)([\s\S]*?)(\n {2}\}\n)/,
    to: "$2$4\n$1$3$5",
  },
  {
    file: "src/health/ported-health.ts",
    what: "the decay after the instant moved on",
    from: /( *this\.#decay\(now\);\n)([\s\S]*?)( *this\.#at = [^\n]*\n)/,
    to: "$2$3$1",
  },
  {
    file: "src/health/ported-health.ts",
    what: "cooldowns rounded to the nearest second",
    from: /Math\.floor\(cooldownSeconds/,
    to: "Math.round(cooldownSeconds",
  },
  {
    file: "src/health/ported-health.ts",
    what: "an inexact power",
    from: /growth = power\((.*?), (.*)\);/,
    to: "growth = ($1) ** ($2);",
  },
  {
    file: "src/quota/ported-bucket.ts",
    what: "the refill rounded twice",
    from: /const product = elapsed \* this\.capacity;/,
    to: "return (elapsed / this.#window) * this.capacity; const product = elapsed * this.capacity;",
  },
  {
    file: "src/quota/ported-bucket.ts",
    what: "tokens rounded to the nearest",
    from: /Math\.floor\(this\.#tokens\)/,
    to: "Math.round(this.#tokens)",
  },
  {
    file: "src/quota/ported-bucket.ts",
    what: "tokens rounded up",
    from: /Math\.floor\(this\.#tokens\)/,
    to: "Math.ceil(this.#tokens)",
  },
  {
    file: "src/selection/ranking.ts",
    what: "ties in reverse order",
    from: /\? a - b :/,
    to: "? b - a :",
  },
];

/**
 * Every number of these files made larger and smaller, and the rewrites, each put to the fixtures; survivors that are
 * `forRecord` also to the record.
 */
export async function ownMutants(
  files: readonly string[],
  recordFile: string,
  forRecord: (mutant: Mutant) => boolean,
): Promise<OwnMutant[]> {
  const player = new VariantPlayer({ fixtures: fixtureFiles().map(readFixture), record: readRecord(recordFile) });
  const put = async (change: Change): Promise<OwnMutant> => {
    const source = sourceOf(change.file);
    await player.take(change.file, change.changed);
    const isCaught = player.isCaughtBy("replay.failingFixture(fixtures)");
    const mutant: Mutant = {
      file: change.file,
      where: enclosingName(source, change.place),
      line: source.slice(0, change.place).split("\n").length,
      code: lineAt(source, change.place),
      original: change.original,
      replacement: change.replacement,
      isReached: true,
      fate: isCaught ? "caught" : "survived",
    };
    const isAsked = !isCaught && forRecord(mutant);
    return { ...mutant, isSeenInRecord: isAsked && player.isCaughtBy("replay.differingScenario(record)") };
  };
  const mutants: OwnMutant[] = [];
  // All of them first: one that has no place any more is known at once.
  for (const change of files.flatMap(rewritesOf)) mutants.push(await put(change));
  for (const file of files) {
    for (const change of await numberChanges(file, player)) mutants.push(await put(change));
  }
  return mutants;
}

/** Another text of a file. */
interface Change {
  readonly file: string;
  readonly changed: string;
  readonly place: number;
  readonly original: string;
  readonly replacement: string;
}

/** Numbers that the classic fixtures come across, each a little more and a little less. */
async function numberChanges(file: string, player: VariantPlayer): Promise<Change[]> {
  const source = sourceOf(file);
  const numbers = numbersIn(source);
  const told = numbers.toReversed().reduce((text, { start, end }, i) => {
    const index = numbers.length - 1 - i;
    return `${text.slice(0, start)}(reached.add(${index}), ${text.slice(start, end)})${text.slice(end)}`;
  }, source);
  await player.take(file, told);
  player.isCaughtBy(
    `replay.failingFixture(fixtures.filter(({ profile = ["classic"] }) => profile.includes("classic"))
      .map((fixture) => ({ ...fixture, profile: ["classic"] })))`,
  );
  return numbers
    .filter((_, index) => player.reached.has(index))
    .flatMap(({ start, end, text }) =>
      othersOf(Number(text)).map((other) => {
        const changed = source.slice(0, start) + other + source.slice(end);
        return { file, changed, place: start, original: lineAt(source, start), replacement: lineAt(changed, start) };
      }),
    );
}

function rewritesOf(file: string): Change[] {
  const source = sourceOf(file);
  return REWRITES.filter((rewrite) => rewrite.file === file).map(({ what, from, to }) => {
    const place = source.search(from);
    if (place < 0) throw new Error(`${file} has no place any more for the mutant "${what}"`);
    return { file, changed: source.replace(from, to), place, original: from.exec(source)![0], replacement: what };
  });
}

/** A mutant of ours. */
export interface OwnMutant extends Mutant {
  readonly isSeenInRecord: boolean;
}

/** A little more, and a little less; whole numbers stay whole. */
function othersOf(value: number): readonly string[] {
  return Number.isInteger(value) ? [`${value + 1}`, `(${value - 1})`] : [`${value * 1.001}`, `${value * 0.999}`];
}

function lineAt(source: string, place: number): string {
  const start = source.lastIndexOf("\n", place - 1) + 1;
  const end = source.indexOf("\n", place);
  return source.slice(start, end < 0 ? source.length : end);
}
