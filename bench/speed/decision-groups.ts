import type { Group } from "./rounds.ts";
import type { Side } from "./side-process.ts";
import type { Program, Programs } from "./sides.ts";
import { hard, ordinary, type Setup, type Work } from "./work.ts";

export const SIZES = [2, 8, 100, 1_000] as const;
export const PROFILES = ["anticipatory", "classic"] as const;
export const WITH_CAPABILITY = "select + observe with capability";
export const WITHOUT_CAPABILITY = "select + observe without capability";
export const HARD = "select + observe with capability, hard case";
export const CONDITIONS = "select + observe under conditions";
export const LEASES = "leases and run";
export const STATED = "stated demand, token quota, one provider in cooldown";

// A round of the slowest side takes about a tenth of a second; the Python package does fewer operations.
const OPERATIONS: { readonly [providers: number]: number } = { 2: 100_000, 8: 40_000, 100: 4_000, 1000: 400 };
const LEASE_PROVIDERS = 8;

/** Name of a side of the earlier build. */
export function earlierName(side: string): string {
  return `${side}, earlier`;
}

export function isEarlier(side: string): boolean {
  return side.endsWith(earlierName(""));
}

/** Name of a group: all of its sides do the same work with so many providers. */
export function groupName(name: string, providers: number): string {
  return `${name}, ${providers} providers`;
}

/** Both profiles of this build, then both of the earlier one if there is one. */
export function profilePrograms(file: string, programs: Programs, earlier: Programs | undefined): Program[] {
  const own = PROFILES.map((profile) => programs(file, profile));
  if (earlier === undefined) return own;
  return [...own, ...PROFILES.map((profile) => ({ ...earlier(file, profile), name: earlierName(profile) }))];
}

/** All programs do the same work. */
export function decisionGroup(name: string, programs: readonly Program[], setup: Setup): Group {
  return group(
    name,
    programs.map((program) => ({ ...program, setup })),
    setup.providers,
  );
}

/** Every work with every number of providers. */
export function decisionGroups(programs: readonly Program[]): Group[] {
  return SIZES.flatMap((size) => [
    decisionGroup(WITH_CAPABILITY, programs, ordinary("both", size)),
    decisionGroup(WITHOUT_CAPABILITY, programs, ordinary("both", size, { capability: false })),
    decisionGroup("select", programs, ordinary("select", size)),
    decisionGroup("observe with capability", programs, ordinary("observe", size)),
    decisionGroup(HARD, programs, hard("both", size)),
  ]);
}

/** The default profile under ordinary load, and what makes its work harder. */
export function conditionGroups(programs: Programs): Group[] {
  const program = programs("decisions", "anticipatory");
  return SIZES.map((size) => {
    const stated = ordinary("both", size, { isDemandStated: true, hasCooldown: true });
    const sides: Side[] = [
      { ...program, name: "plain", setup: ordinary("both", size) },
      { ...program, name: STATED, setup: stated },
      { ...program, name: "hard case", setup: hard("both", size) },
    ];
    return group(CONDITIONS, sides, size);
  });
}

/** Leases and `run` beside select + observe of this build and of the Rust crate. */
export function leaseGroup(programs: Programs, earlier: Programs | undefined, crate: Program | undefined): Group {
  const works: readonly (readonly [name: string, work: Work, differences: Partial<Setup>])[] = [
    ["select + observe", "both", {}],
    ["tryAcquire + settle", "lease", {}],
    ["select + observe, stated demand", "both", { isDemandStated: true }],
    ["tryAcquire + settle, stated demand", "lease", { isDemandStated: true }],
    ["acquire + settle, stated demand", "acquire", { isDemandStated: true }],
    ["run of an empty function", "run", {}],
  ];
  const sidesOf = (program: Program, nameOf: (name: string) => string): Side[] =>
    works.map(([name, work, differences]) => {
      return { ...program, name: nameOf(name), setup: ordinary(work, LEASE_PROVIDERS, differences) };
    });
  const sides = sidesOf(programs("decisions", "anticipatory"), (name) => name);
  if (earlier !== undefined) sides.push(...sidesOf(earlier("decisions", "anticipatory"), earlierName));
  if (crate !== undefined) sides.push({ ...crate, setup: ordinary("both", LEASE_PROVIDERS) });
  return group(LEASES, sides, LEASE_PROVIDERS);
}

function group(name: string, sides: readonly Side[], providers: number): Group {
  return { name: groupName(name, providers), sides, operations: OPERATIONS[providers]! };
}
