import {
  CONDITIONS,
  earlierName,
  groupName,
  HARD,
  LEASES,
  PROFILES,
  SIZES,
  STATED,
  WITH_CAPABILITY,
} from "./decision-groups.ts";
import type { Growth, Results } from "./results.ts";
import type { Measured } from "./rounds.ts";
import { SCALING } from "./scaling.ts";

/** One target of the project and the measured value; NaN: not measured. */
export interface Bar {
  readonly section: string;
  readonly work: string;
  readonly bar: string;
  readonly reached: number;
  readonly unit: string;
  readonly isMet: boolean;
}

/** Least ratio of the Rust crate's time to that of a profile, by number of providers. */
const RUST: { readonly [profile: string]: { readonly bars: readonly number[]; readonly aims?: readonly number[] } } = {
  anticipatory: { bars: [1, 1.4, 3.5, 5], aims: [1.3, 2, 4.5, 6] },
  classic: { bars: [0.8, 0.8, 1.2, 1] },
};
const DECISIONS = "Decisions beside the Rust crate, with `capability`";
const CONDITIONED = "Decisions under conditions, as a multiple of a plain decision";
const LEASED = "Leases and `run`, 8 providers";
const COLD = "Cold process beside the earlier build";
const GROWTH = "Slope of log time against log n";
const OTHER = "Other limiters, memory and size";

export function bars(results: Results): Bar[] {
  return [
    ...decisionBars(results),
    ...conditionBars(results),
    ...leaseBars(results),
    ...coldBars(results),
    ...growthBars(results),
    ...otherBars(results),
  ];
}

function decisionBars({ decisions }: Results): Bar[] {
  return PROFILES.flatMap((profile) =>
    SIZES.map((size, i): Bar => {
      const group = groupName(WITH_CAPABILITY, size);
      const ratio = best(decisions, group, "rust") / best(decisions, group, profile);
      const { bars: least, aims } = RUST[profile]!;
      const found = atLeast(DECISIONS, `${profile}, ${size.toLocaleString("en")} providers`, least[i]!, ratio);
      return aims === undefined ? found : { ...found, bar: `${found.bar} (aim ${aims[i]}x)` };
    }),
  );
}

function conditionBars({ decisions, conditions }: Results): Bar[] {
  return SIZES.flatMap((size): Bar[] => {
    const group = groupName(CONDITIONS, size);
    const hard = groupName(HARD, size);
    const times = (side: string): number => best(conditions, group, side) / best(conditions, group, "plain");
    return [
      atMost(CONDITIONED, `${STATED}, ${size} providers`, 1.5, times(STATED)),
      atMost(CONDITIONED, `hard case, ${size} providers`, 3, times("hard case")),
      atLeast(
        CONDITIONED,
        `hard case, ${size} providers: time of the Rust crate / ours`,
        1.5,
        best(decisions, hard, "rust") / best(decisions, hard, "anticipatory"),
      ),
    ];
  });
}

function leaseBars({ leases }: Results): Bar[] {
  const of = (side: string): number => best(leases, groupName(LEASES, 8), side);
  const plain = of("select + observe");
  const stated = of("select + observe, stated demand");
  const lease = of("tryAcquire + settle");
  const statedLease = of("tryAcquire + settle, stated demand");
  return [
    atMost(LEASED, "tryAcquire + settle, as a multiple of select + observe", 2, lease / plain),
    atMost(LEASED, "the same with a stated demand on both sides", 2, statedLease / stated),
    atMost(LEASED, "tryAcquire + settle, as a multiple of the Rust crate's select + observe", 4, lease / of("rust")),
    atMost(LEASED, "the same with a stated demand", 4, statedLease / of("rust")),
    atMost(
      LEASED,
      "run of an empty function, as a multiple of select + observe",
      3,
      of("run of an empty function") / plain,
    ),
  ];
}

function coldBars({ cold }: Results): Bar[] {
  return PROFILES.flatMap((profile): Bar[] => {
    const now = cold?.sides[profile]?.next;
    const before = cold?.sides[earlierName(profile)]?.next;
    const ratio = (of: "mean" | "median"): number => (now?.[of] ?? Number.NaN) / (before?.[of] ?? Number.NaN);
    return [
      atMost(COLD, `${profile}: mean of calls 101 to 1,000`, 0.5, ratio("mean")),
      atMost(COLD, `${profile}: median of calls 101 to 1,000`, 0.5, ratio("median")),
    ];
  });
}

function growthBars({ growth, scaling }: Results): Bar[] {
  const scaled = SCALING.map((name) => slopeBar(scaling, name, name, 1.15));
  const decision = [
    slopeBar(growth, "providers", "one decision against providers", 1.15),
    slopeBar(growth, "quotas of a provider", "one decision against quotas of a provider", 1.15),
    slopeBar(growth, "capabilities", "one decision against capabilities", 0.1),
    slopeBar(growth, "events in the window", "one decision against events in the window", 0.1),
  ];
  return [...scaled, ...decision];
}

/** A series that was stopped early does not meet its bar, however flat its first points are. */
function slopeBar(all: readonly Growth[], name: string, work: string, most: number): Bar {
  const series = all.find((one) => one.name === name);
  const bar = atMost(GROWTH, work, most, series?.slope ?? Number.NaN, "");
  return series?.isCut ? { ...bar, work: `${work}, stopped before n = 10,000`, isMet: false } : bar;
}

function otherBars({ calls, memory, size }: Results): Bar[] {
  const empty = "an empty async function, one after the other";
  const run = best(calls, empty, "ours-run");
  return [
    atLeast(OTHER, "time of p-queue / run", 1, best(calls, empty, "p-queue") / run),
    atLeast(OTHER, "time of bottleneck / run", 500, best(calls, empty, "bottleneck") / run),
    atMost(OTHER, "run of an empty function, as a multiple of cockatiel's", 3, run / best(calls, empty, "cockatiel")),
    atMost(OTHER, "idle provider with two quotas", 4_096, memory["idle provider"] ?? Number.NaN, " bytes"),
    atMost(
      OTHER,
      "heap after 1e7 decisions minus heap after 1e5",
      2e6,
      memory["heap after 1e7 decisions less that after 1e5"] ?? Number.NaN,
      " bytes",
    ),
    atMost(OTHER, "core import, minified and gzipped", 33_000, size?.core.gzipped ?? Number.NaN, " bytes"),
  ];
}

function best(groups: readonly Measured[], group: string, side: string): number {
  return groups.find(({ name }) => name === group)?.sides[side]?.best ?? Number.NaN;
}

function atLeast(section: string, work: string, least: number, reached: number): Bar {
  return { section, work, bar: `>= ${least}x`, reached, unit: "x", isMet: reached >= least };
}

function atMost(section: string, work: string, most: number, reached: number, unit = "x"): Bar {
  const bar = `<= ${most.toLocaleString("en")}${unit}`;
  return { section, work, bar, reached, unit, isMet: reached <= most };
}
