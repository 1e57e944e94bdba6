import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

const WATCH_EVERY_MS = 10;
const STALL_MS = 50;
/** Where a machine is too busy for callers to fill the limits at once. */
const PATIENCE_MS = 150_000;

/** Unix ms with fractions, as the servers stamp what they see. */
export function unixNow(): number {
  return performance.timeOrigin + performance.now();
}

/** When the line was there. */
export interface Saturation {
  /** When the line first formed, Unix ms. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Of all looks at the line from then on, the share that found somebody waiting. */
  readonly share: number;
  /** How long this process got no turn for more than 50 ms at a time, ms in all: the machine was busy with others. */
  readonly stalledMs: number;
}

export interface ClosedLoop {
  readonly callers: number;
  /**
   * Over how long the callers come one after another. All at once they would send faster than they can wait: every later
   * turn would begin with a burst in which all are under way and nobody stands in line.
   */
  readonly arriveWithinMs: number;
  /** How long it goes on once the line has formed. */
  readonly saturatedMs: number;
  /** Whether somebody waits now. */
  readonly isWaiting: () => boolean;
  /** One request, from waiting to its end; asked again and again by each caller until the time is over. */
  readonly call: (caller: number, signal: AbortSignal) => Promise<void>;
}

/** Callers that each send their next request when the last has ended. Resolves when all have stopped. */
export async function closedLoop(loop: ClosedLoop): Promise<Saturation> {
  const over = new AbortController();
  const callers = Array.from({ length: loop.callers }, async (_, caller) => {
    await sleep((loop.arriveWithinMs * caller) / loop.callers);
    while (!over.signal.aborted) await loop.call(caller, over.signal);
  });
  const watched = watch(loop);
  try {
    // A caller's failure ends the test at once.
    return await Promise.race([watched, Promise.all(callers).then(() => watched)]);
  } finally {
    over.abort(new Error("the time is over"));
    await Promise.allSettled(callers);
    await Promise.all(callers);
  }
}

async function watch({ isWaiting, saturatedMs }: ClosedLoop): Promise<Saturation> {
  const patience = performance.now() + PATIENCE_MS;
  while (!isWaiting()) {
    if (performance.now() > patience) throw new Error("no line ever formed");
    await sleep(WATCH_EVERY_MS);
  }
  const fromMs = unixNow();
  let looks = 0;
  let found = 0;
  let stalledMs = 0;
  while (unixNow() < fromMs + saturatedMs) {
    const lookedAt = performance.now();
    await sleep(WATCH_EVERY_MS);
    const pauseMs = performance.now() - lookedAt;
    if (pauseMs > STALL_MS) stalledMs += pauseMs;
    looks++;
    if (isWaiting()) found++;
  }
  return { fromMs, untilMs: unixNow(), share: found / looks, stalledMs };
}
