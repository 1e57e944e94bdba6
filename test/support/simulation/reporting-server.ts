// A server with one limit of requests per minute that states what remains, as the rate limit headers of APIs do, and a
// client that sends as soon as the limiter allows it. Everything runs on a MockClock.
import {
  GrateLimiter,
  type GrateLimiterOptions,
  type Lease,
  MockClock,
  type QuotaConfig,
  type ReportedQuota,
} from "../../../src/index.ts";

export const WINDOW_MS = 60_000;

/** Answer of a server to one request, as of its arrival. */
export interface Statement {
  readonly isAccepted: boolean;
  readonly remaining: number;
  /** A fixed window: time to its end. A token bucket: time to full. A sliding log: nothing. */
  readonly resetMs?: number;
  readonly resetKind?: "full" | "window";
}

/** Rate limit of a server. */
export interface LimitModel {
  readonly limit: number;
  /** Counts a request of that amount if there is room for it. */
  arrive(amount: number, now: number): Statement;
  /** Amount that is free. */
  free(now: number): number;
  /** Returns an amount that was counted at an instant. */
  refund(amount: number, countedAt: number, now: number): void;
}

export function slidingLog(limit: number): LimitModel {
  const log: { readonly at: number; amount: number }[] = [];
  let used = 0;
  const free = (now: number) => {
    while (log.length > 0 && log[0]!.at <= now - WINDOW_MS) used -= log.shift()!.amount;
    return limit - used;
  };
  return {
    limit,
    free,
    arrive(amount, now) {
      const isAccepted = free(now) >= amount;
      if (isAccepted) {
        log.push({ at: now, amount });
        used += amount;
      }
      return { isAccepted, remaining: limit - used };
    },
    refund(amount, countedAt, now) {
      free(now);
      const entry = log.find(({ at }) => at === countedAt);
      if (entry === undefined) return;
      entry.amount -= amount;
      used -= amount;
    },
  };
}

export function fixedWindow(limit: number, phaseMs: number): LimitModel {
  let current = Number.NaN;
  let used = 0;
  const windowOf = (at: number) => Math.floor((at + phaseMs) / WINDOW_MS);
  const free = (now: number) => {
    if (windowOf(now) !== current) used = 0;
    current = windowOf(now);
    return limit - used;
  };
  return {
    limit,
    free,
    arrive(amount, now) {
      const isAccepted = free(now) >= amount;
      if (isAccepted) used += amount;
      const resetMs = (current + 1) * WINDOW_MS - phaseMs - now;
      return { isAccepted, remaining: limit - used, resetMs, resetKind: "window" };
    },
    refund(amount, countedAt, now) {
      free(now);
      if (windowOf(countedAt) === current) used -= amount;
    },
  };
}

export function tokenBucket(limit: number): LimitModel {
  let level = limit;
  let at = 0;
  const free = (now: number) => {
    level = Math.min(limit, level + ((now - at) * limit) / WINDOW_MS);
    at = now;
    return level;
  };
  return {
    limit,
    free,
    arrive(amount, now) {
      const isAccepted = free(now) >= amount - 1e-9;
      if (isAccepted) level -= amount;
      const resetMs = ((limit - level) * WINDOW_MS) / limit;
      return { isAccepted, remaining: Math.max(0, Math.floor(level + 1e-9)), resetMs, resetKind: "full" };
    },
    refund(amount, _countedAt, now) {
      level = Math.min(limit, free(now) + amount);
    },
  };
}

/** Time from the grant to the arrival, from there to the headers leaving the server, and back. */
export interface Trip {
  readonly thereMs: number;
  readonly workMs: number;
  readonly backMs: number;
}

export interface Plan {
  readonly model: LimitModel;
  readonly quota: QuotaConfig;
  readonly random: () => number;
  /** Arrivals of requests at the client. */
  readonly arrivals: readonly number[];
  /** Arrivals of other users' requests at the server. */
  readonly others?: readonly number[];
  readonly untilMs: number;
  readonly options?: Partial<GrateLimiterOptions>;
  readonly trip: () => Trip;
  /** Report that a response carries; undefined: none. */
  readonly report: (statement: Statement, limit: number) => ReportedQuota | undefined;
}

export interface Outcome {
  readonly sent: number;
  readonly refused: number;
  /** Waiting time of each request in ms, in ascending order. */
  readonly waits: readonly number[];
  readonly limiter: GrateLimiter;
}

/** Sends the requests of a plan, first come first served. */
export function simulate({ model, quota, arrivals, others = [], untilMs, options, trip, report }: Plan): Outcome {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    random: () => 0.5,
    providers: [{ name: "p", quotas: [quota] }],
    capabilities: { c: ["p"] },
    ...options,
  });
  const waits: number[] = [];
  const queue: number[] = [];
  let refused = 0;
  let cancel: (() => void) | null = null;
  const after = (ms: number, happen: () => void) => clock.wakeAt(clock.now() + ms, happen);

  const send = (lease: Lease) => {
    const { thereMs, workMs, backMs } = trip();
    after(thereMs, () => {
      const statement = model.arrive(1, clock.now());
      if (!statement.isAccepted) refused++;
      after((statement.isAccepted ? workMs : 0) + backMs, () => {
        const stated = report(statement, model.limit);
        lease.settle({ status: statement.isAccepted ? 200 : 429, ...(stated && { reported: [stated] }) });
        serve();
      });
    });
  };
  const serve = () => {
    cancel?.();
    cancel = null;
    while (queue.length > 0) {
      const lease = limiter.tryAcquire("c");
      if (!lease.granted) {
        if (lease.retryAfterMs !== null) cancel = after(lease.retryAfterMs, serve);
        return;
      }
      waits.push(clock.now() - queue.shift()!);
      send(lease);
    }
  };
  for (const at of arrivals) {
    clock.wakeAt(at, () => {
      queue.push(at);
      serve();
    });
  }
  for (const at of others) clock.wakeAt(at, () => void model.arrive(1, at));
  clock.advanceMs(untilMs);
  const left = queue.map((at) => untilMs - at);
  return { sent: waits.length, refused, waits: [...waits, ...left].sort((a, b) => a - b), limiter };
}

/** Poisson arrivals that alternate between a high and a low rate (per second) every `phaseMs`. */
export function bursts(random: () => number, high: number, low: number, phaseMs: number, untilMs: number): number[] {
  const arrivals: number[] = [];
  let at = 0;
  for (;;) {
    const rate = Math.floor(at / phaseMs) % 2 === 0 ? high : low;
    const next = at - (Math.log(1 - random()) * 1_000) / rate;
    const edge = (Math.floor(at / phaseMs) + 1) * phaseMs;
    at = Math.min(next, edge);
    if (at >= untilMs) return arrivals;
    if (next < edge) arrivals.push(at);
  }
}
