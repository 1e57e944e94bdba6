import type { Growth } from "./results.ts";
import { type Side, SideProcess } from "./side-process.ts";
import type { Programs } from "./sides.ts";
import { slope } from "./statistics.ts";

/** The series of sides/scaling.ts; each has a bar on its slope. */
export const SCALING: readonly string[] = [
  "waiters of one priority",
  "waiters of one priority with different demands",
  "waiters of one priority for tokens",
  "capabilities with one waiter each, one provider",
  "capabilities with the same 8 providers",
  "map items",
  "map items with different demands",
  "pool members (one decision)",
  "event listeners",
  "open leases (one refused acquire)",
];

const XS = [100, 1_000, 10_000];
// A quadratic series would take hours at the last point.
const POINT_LIMIT_MS = 20_000;
const WARM_UP_NS = 5e8;
// The clock of processor time moves in steps of up to 10 ms on some systems.
const ROUND_NS = 5e7;

/** Measures all series. A series ends at the first point that takes too long. */
export async function scaling(programs: Programs, rounds: number): Promise<Growth[]> {
  const found: Growth[] = [];
  for (const name of SCALING) {
    const points: { x: number; y: number }[] = [];
    for (const x of XS) {
      const y = await point({ ...programs("scaling", "scaling"), setup: { series: name, n: x } }, rounds);
      if (y !== null) points.push({ x, y });
      else break;
    }
    const isCut = points.length < XS.length;
    found.push({ name, points, slope: slope(points), ...(isCut ? { isCut } : {}) });
    const texts = points.map(({ x, y }) => `${x.toLocaleString("en")}: ${(y / 1e6).toPrecision(3)} ms`);
    const end = isCut ? `; stopped: the next point takes longer than ${POINT_LIMIT_MS / 1_000} s` : "";
    console.log(`${name}: ${texts.join(", ")}; slope ${slope(points).toFixed(2)}${end}`);
  }
  return found;
}

/** Best processor time (ns) of one piece of work. null: not even one round ended in time. */
async function point(side: Side, rounds: number): Promise<number | null> {
  let best: number | null = null;
  let process: SideProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      isOver = true;
      resolve();
    }, POINT_LIMIT_MS);
  });
  const measure = async (): Promise<void> => {
    process = await SideProcess.start(side);
    let repeats = 1;
    let spentNs = 0;
    let counted = 0;
    while (counted < rounds && !isOver) {
      const ns = await process.round(repeats);
      best = Math.min(best ?? Infinity, ns);
      spentNs += ns * repeats;
      if (ns * repeats < ROUND_NS) {
        repeats *= 2;
        best = null;
      } else if (spentNs >= WARM_UP_NS) counted++;
    }
  };
  // A process that is ended in the middle of a round gives no answer.
  const measuring = measure().catch((error: unknown) => {
    if (!isOver) throw error;
  });
  try {
    await Promise.race([measuring, limit]);
  } finally {
    clearTimeout(timer);
    process?.end();
  }
  return best;
}
