import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

const WATCH_EVERY_MS = 10;
const STALL_MS = 50;
/** True on a machine that is too busy for callers to fill the limits immediately. */
const PATIENCE_MS = 150_000;

/** Unix milliseconds with fractions, as in the records of the servers. */
export function unixNow(): number {
  return performance.timeOrigin + performance.now();
}

/** Measurements from the moment at which callers had to wait. */
export interface Saturation {
  /** The instant at which callers first had to wait, Unix ms. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** The share of all later checks that found a waiting caller. */
  readonly share: number;
  /** Time for which this process did not run for more than 50 ms at a stretch, ms in total: the machine was busy. */
  readonly stalledMs: number;
}

export interface ClosedLoop {
  readonly callers: number;
  /**
   * Time over which the callers start. If all started together they would send faster than they can wait: every later
   * period would begin with a burst of requests in flight and an empty queue.
   */
  readonly arriveWithinMs: number;
  /** Duration after callers first had to wait. */
  readonly saturatedMs: number;
  /** True if a caller waits now. */
  readonly isWaiting: () => boolean;
  /** One request, from its wait to its end. Each caller repeats it until the time is over. */
  readonly call: (caller: number, signal: AbortSignal) => Promise<void>;
}

/** Callers that send their next request when the previous one has ended. Resolves when all have stopped. */
export async function closedLoop(loop: ClosedLoop): Promise<Saturation> {
  const over = new AbortController();
  const callers = Array.from({ length: loop.callers }, async (_, caller) => {
    await sleep((loop.arriveWithinMs * caller) / loop.callers);
    while (!over.signal.aborted) await loop.call(caller, over.signal);
  });
  const watched = watch(loop);
  try {
    // A failure of one caller ends the test immediately.
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
