// Mutants that Stryker does not make: changed numbers, and a few changes of order.
import { type Candidate, lineAt, mutantAt } from "./mutant.ts";
import { sourceOf } from "./reached-files.ts";
import { numbersIn } from "./source-places.ts";
import { bundleOf, type VariantPlayer } from "./variant-player.ts";

/** A change of more than one number. */
interface Rewrite {
  readonly file: string;
  /** Description of the error. */
  readonly what: string;
  readonly from: RegExp;
  readonly to: string;
}

const REWRITES: readonly Rewrite[] = [
  {
    file: "src/classic/classic-health.ts",
    what: "the effect of the outcome before the decay",
    from: /( *this\.#decay\(now\);\n)([\s\S]*?)( *this\.#decayedAt = [^\n]*\n)([\s\S]*?)(\n {2}\}\n)/,
    to: "$2$4\n$1$3$5",
  },
  {
    file: "src/classic/classic-health.ts",
    what: "the decay after the instant moved on",
    from: /( *this\.#decay\(now\);\n)([\s\S]*?)( *this\.#decayedAt = [^\n]*\n)/,
    to: "$2$3$1",
  },
  {
    file: "src/classic/classic-health.ts",
    what: "cooldowns rounded to the nearest second",
    from: /Math\.floor\(cooldownSeconds/,
    to: "Math.round(cooldownSeconds",
  },
  {
    file: "src/classic/classic-health.ts",
    what: "an inexact power",
    from: /growth = power\((.*?), (.*)\);/,
    to: "growth = ($1) ** ($2);",
  },
  {
    file: "src/classic/classic-bucket.ts",
    what: "the refill rounded twice",
    from: /const product = elapsed \* this\.capacity;/,
    to: "return (elapsed / this.#window) * this.capacity; const product = elapsed * this.capacity;",
  },
  {
    file: "src/classic/classic-bucket.ts",
    what: "tokens rounded to the nearest",
    from: /Math\.floor\(this\.#tokens\)/,
    to: "Math.round(this.#tokens)",
  },
  {
    file: "src/classic/classic-bucket.ts",
    what: "tokens rounded up",
    from: /Math\.floor\(this\.#tokens\)/,
    to: "Math.ceil(this.#tokens)",
  },
  {
    file: "src/selection/ranked-entry.ts",
    what: "ties in reverse order",
    from: /\? a\.index - b\.index :/,
    to: "? b.index - a.index :",
  },
];

/** Returns the rewrites, and for every number that the classic fixtures use a larger and a smaller one. */
export async function ownMutants(files: readonly string[], player: VariantPlayer): Promise<Candidate[]> {
  // The rewrites come first, because one that no longer matches its file throws, and should do so immediately.
  const changes = files.flatMap(rewritesOf);
  for (const file of files) changes.push(...(await numberChanges(file, player)));
  return changes.map(({ changed, original, replacement, ...at }) => ({
    mutant: mutantAt(at, original, replacement),
    variant: async () => ({ bundle: await bundleOf(new Map([[at.file, changed]])) }),
  }));
}

/** A file with a change. */
interface Change {
  readonly file: string;
  readonly source: string;
  readonly changed: string;
  readonly place: number;
  readonly original: string;
  readonly replacement: string;
}

function rewritesOf(file: string): Change[] {
  const source = sourceOf(file);
  return REWRITES.filter((rewrite) => rewrite.file === file).map(({ what, from, to }) => {
    const place = source.search(from);
    if (place < 0) throw new Error(`${file}: the mutant "${what}" matches nothing; update its pattern`);
    const changed = source.replace(from, to);
    return { file, source, changed, place, original: from.exec(source)![0], replacement: what };
  });
}

async function numberChanges(file: string, player: VariantPlayer): Promise<Change[]> {
  const source = sourceOf(file);
  const numbers = numbersIn(source);
  if (numbers.length === 0) return [];
  const instrumentedSource = numbers.toReversed().reduce((text, { start, end }, i) => {
    const index = numbers.length - 1 - i;
    return `${text.slice(0, start)}(reached.add(${index}), ${text.slice(start, end)})${text.slice(end)}`;
  }, source);
  const bundle = `reached = new Set();\n${await bundleOf(new Map([[file, instrumentedSource]]))}`;
  const reached = new Set(player.list({ bundle }, "replay.failingFixture(classic), [...reached]"));
  return numbers
    .filter((_, index) => reached.has(index))
    .flatMap(({ start, end, text }) =>
      neighboursOf(Number(text)).map((other) => {
        const changed = source.slice(0, start) + other + source.slice(end);
        const [original, replacement] = [lineAt(source, start), lineAt(changed, start)];
        return { file, source, changed, place: start, original, replacement };
      }),
    );
}

/** Returns a slightly larger and a slightly smaller value. Whole numbers stay whole. */
function neighboursOf(value: number): readonly string[] {
  return Number.isInteger(value) ? [`${value + 1}`, `(${value - 1})`] : [`${value * 1.001}`, `${value * 0.999}`];
}
