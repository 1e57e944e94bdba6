// `npm run bench:smoke` fails if a decision has become several times slower. It compares with a fixed piece of work in the same
// run (sides/reference.ts), so it can run on any machine under any load. `npm run bench` measures times.
import { measured } from "./rounds.ts";
import type { Side } from "./side-process.ts";
import { compiledSides } from "./sides.ts";
import { hard, ordinary } from "./work.ts";

const ROUNDS = 3;
const program = await compiledSides();
const reference: Side = { ...program("reference", "reference"), setup: {} };
const decisions = (profile: string, setup: ReturnType<typeof ordinary>, every: number): Side => ({
  ...program("decisions", profile),
  setup: { ...setup, prefill: Math.min(setup.prefill, 5_000) },
  every,
});
const calls = (name: string): Side => ({ ...program("calls", name), setup: { folder: "", together: 1 }, every: 20 });

// The bound is three to six times the measured ratio.
const checks: readonly { what: string; side: Side; most: number }[] = [
  { what: "select + observe, 2 providers", side: decisions("anticipatory", ordinary("both", 2), 20), most: 100 },
  { what: "select + observe, 2 providers, classic", side: decisions("classic", ordinary("both", 2), 20), most: 100 },
  { what: "select + observe, 100 providers", side: decisions("anticipatory", ordinary("both", 100), 200), most: 700 },
  { what: "the hard case, 100 providers", side: decisions("anticipatory", hard("both", 100), 200), most: 4_000 },
  { what: "tryAcquire + settle, 8 providers", side: calls("ours-tryAcquire"), most: 350 },
  { what: "run of an empty function", side: calls("ours-run"), most: 350 },
];

const group = { name: "smoke", sides: [reference, ...checks.map(({ what, side }) => ({ ...side, name: what }))] };
const { sides } = await measured({ ...group, operations: 200_000 }, { processes: 1, rounds: ROUNDS });
const unit = sides["reference"]!.best;
for (const { what, most } of checks) {
  const ratio = sides[what]!.best / unit;
  console.log(`${what}: ${ratio.toFixed(0)} times the reference (at most ${most})`);
  if (ratio > most) {
    console.error(`failed: ${what} takes ${ratio.toFixed(0)} times the reference work, which is more than ${most}`);
    process.exitCode = 1;
  }
}
