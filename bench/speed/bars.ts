import type { Results } from "./results.ts";

/** One thing that is to be reached, what was, and whether that is enough; NaN: not measured. */
export interface Bar {
  readonly work: string;
  readonly bar: string;
  readonly reached: number;
  readonly unit: string;
  readonly isMet: boolean;
}

const SIZES = [2, 8, 100, 1_000] as const;
const PROFILES = ["anticipatory", "classic"] as const;

export function bars(results: Results): Bar[] {
  const best = (part: "decisions" | "leases" | "calls", group: string, side: string): number =>
    results[part].find(({ name }) => name === group)?.sides[side]?.best ?? Number.NaN;
  const atLeast = (work: string, least: number, reached: number): Bar => {
    return { work, bar: `>= ${least}x`, reached, unit: "x", isMet: reached >= least };
  };
  const atMost = (work: string, most: number, reached: number, unit = "x"): Bar => {
    return { work, bar: `<= ${most.toLocaleString("en")}${unit}`, reached, unit, isMet: reached <= most };
  };
  const found: Bar[] = [];
  for (const profile of PROFILES) {
    const against = (port: string, work: string, providers: number): number => {
      const group = `${work}, ${providers} providers`;
      return best("decisions", group, port) / best("decisions", group, profile);
    };
    for (const size of SIZES) {
      const what = `select + observe, ${profile}, ${size} providers`;
      found.push(atLeast(`${what}: faster than Rust`, size === 2 ? 2.5 : 3, against("rust", "select + observe", size)));
      found.push(atLeast(`${what}: faster than Python`, 100, against("python", "select + observe", size)));
    }
  }
  for (const size of SIZES) {
    const group = `select + observe, hard case, ${size} providers`;
    const reached = best("decisions", group, "rust") / best("decisions", group, "anticipatory");
    found.push(atLeast(`hard case, ${size} providers: faster than Rust`, 1.5, reached));
  }
  const leases = "leases, 8 providers with three quotas";
  const calls = "an empty async function, one after the other";
  const lease = best("leases", leases, "ours-tryAcquire") / best("leases", leases, "ours-both");
  const run = best("calls", calls, "ours-run");
  found.push(
    atMost("tryAcquire + settle, in times of our select + observe", 5, lease),
    atLeast("run of an empty function: faster than p-queue", 1, best("calls", calls, "p-queue") / run),
    atMost("run of an empty function, in times of cockatiel's", 3, run / best("calls", calls, "cockatiel")),
    atLeast("run of an empty function: faster than bottleneck", 500, best("calls", calls, "bottleneck") / run),
    atMost("idle provider with two quotas", 4_096, results.memory["idle provider"] ?? Number.NaN, " bytes"),
  );
  const held = results.memory["heap after 1e7 decisions less that after 1e5"] ?? Number.NaN;
  found.push(atMost("heap after 1e7 decisions less that after 1e5", 2e6, held, " bytes"));
  const size = results.size?.core.gzipped ?? Number.NaN;
  found.push(atMost("core import, minified and gzipped", 12_000, size, " bytes"));
  for (const { name, slope } of results.growth) {
    found.push(
      atMost(
        `slope of the time against ${name}`,
        name === "capabilities" || name.startsWith("events") ? 0.1 : 1.2,
        slope,
        "",
      ),
    );
  }
  return found.filter(({ reached }) => !Number.isNaN(reached));
}
