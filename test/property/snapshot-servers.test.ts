// A process that stops at any instant and starts again with its snapshot never sends more than a server allows.
import fc from "fast-check";
import { expect, it } from "vitest";
import { GrateLimiter, type Lease, type LimiterSnapshot, MockClock, type QuotaConfig } from "../../src/index.ts";
import { propertyRuns } from "../support/test-effort.ts";
import {
  fixedWindowServer,
  type Server,
  slidingLogServer,
  TICKS_PER_MS,
  tokenBucketServer,
} from "../support/window-servers.ts";

const LIMIT = 12;
const WINDOW_MS = 4_000;
const TICKS = WINDOW_MS * TICKS_PER_MS;
const EPOCH_MS = 1_700_000_000_000;
const YEAR_MS = 366 * 86_400_000;
const window = { seconds: WINDOW_MS / 1_000 };

/** At most `LIMIT` requests simultaneously; each is at work until its end, also if its client is gone. */
function concurrencyServer(): Server & { ends(): void } {
  let running = 0;
  return { name: "concurrency", accepts: () => running++ < LIMIT, ends: () => running-- };
}

const quotaOf = (more: object): QuotaConfig =>
  ({ dimension: "requests", limit: LIMIT, window, ...more }) as QuotaConfig;
const aligned = quotaOf({ strategy: "fixed_window", resetEpochMs: EPOCH_MS + 1_300 });
const SERVERS: { readonly [name: string]: readonly [QuotaConfig, (phase: number) => Server & { ends?(): void }] } = {
  "a sliding window, a fixed window of any phase": [quotaOf({}), (phase) => fixedWindowServer(LIMIT, TICKS, phase)],
  "a sliding window, a sliding log": [quotaOf({}), () => slidingLogServer(LIMIT, TICKS)],
  "a sliding window, a token bucket": [quotaOf({}), () => tokenBucketServer(LIMIT, TICKS, LIMIT)],
  "a token bucket, a token bucket": [
    quotaOf({ strategy: "token_bucket", burst: 5 }),
    () => tokenBucketServer(LIMIT, TICKS, 5),
  ],
  "a fixed window with known resets, that fixed window": [
    aligned,
    () => fixedWindowServer(LIMIT, TICKS, 1_300 * TICKS_PER_MS),
  ],
  "a sliding window that counts at the end, a sliding log": [
    quotaOf({ countsAtEnd: true }),
    () => slidingLogServer(LIMIT, TICKS),
  ],
  concurrency: [{ dimension: "concurrency", limit: LIMIT }, concurrencyServer],
};

const run = fc.record({
  /** Gaps between ticks of the simulation, and requests tried at each. */
  gaps: fc.array(fc.constantFrom(1, 7, 40, 311, 1_250), { minLength: 5, maxLength: 60 }),
  downMs: fc.constantFrom(0, 1, 300, 2_500, 4_100, 30_000),
  /**
   * How far the wall clock is set at the restart; NaN: the time of the snapshot is lost. Each step remains for the processes
   * that follow, because a step forward of less than a year is not distinguishable from time that passed.
   */
  clockStep: fc.constantFrom(0, 0, 0, -5_000, -YEAR_MS, 2 * YEAR_MS, Number.NaN),
  isDrained: fc.boolean(),
});

interface Request {
  readonly lease: Lease;
  readonly arrivesAt: number;
  readonly endsAt: number;
  isSent: boolean;
}

it.each(Object.entries(SERVERS))("restarts cause no 429: %s", (_, [quota, makeServer]) => {
  let total = 0;
  fc.assert(
    fc.property(
      fc.array(run, { minLength: 2, maxLength: 5 }),
      fc.integer({ min: 0, max: TICKS - 1 }),
      fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 5, maxLength: 20 }),
      (runs, phase, dice) => {
        const server = makeServer(phase);
        let rolls = 0;
        const roll = (most: number) => (dice[rolls++ % dice.length]! * (rolls % 7)) % most;
        let world = 0;
        let requests: Request[] = [];
        let refused = 0;
        let stepped = 0;
        let snapshot: LimiterSnapshot | undefined;
        /** The server's side up to `until`, in order of time, whether the clients live or not. */
        const serve = (until: number) => {
          const events = requests.flatMap((request) => [
            ...(request.isSent ? [] : [{ at: request.arrivesAt, request, isEnd: false }]),
            { at: request.endsAt, request, isEnd: true },
          ]);
          for (const { at, request, isEnd } of events.sort(
            (a, b) => a.at - b.at || Number(a.isEnd) - Number(b.isEnd),
          )) {
            if (at > until) break;
            if (isEnd) server.ends?.();
            else {
              request.isSent = true;
              if (!server.accepts(1, at * TICKS_PER_MS)) refused++;
            }
          }
          const ended = requests.filter(({ endsAt }) => endsAt <= until);
          requests = requests.filter(({ endsAt }) => endsAt > until);
          return ended;
        };
        for (const { gaps, downMs, clockStep, isDrained } of runs) {
          // The monotonic clock of each process starts at another value.
          const startMs = roll(5_000);
          if (!Number.isNaN(clockStep)) stepped += clockStep;
          const clock = new MockClock({ startMs });
          // Known resets need a right clock, whatever a limiter does.
          const epochNow = () => EPOCH_MS + world + (quota === aligned ? 0 : stepped);
          const limiter = new GrateLimiter({
            clock: { now: () => clock.now(), epochNow },
            providers: [{ name: "a", quotas: [quota] }],
            capabilities: { chat: ["a"] },
            snapshot: snapshot && (JSON.parse(JSON.stringify(snapshot)) as LimiterSnapshot),
          });
          const own = new Set<Lease>();
          const pass = (ms: number) => {
            world += ms;
            for (const { lease } of serve(world)) if (own.has(lease)) own.delete(lease) && settled.push(lease);
            clock.advanceMs(ms);
            for (const lease of settled.splice(0)) lease.settle("success");
          };
          const settled: Lease[] = [];
          for (const gap of gaps) {
            pass(gap);
            for (let i = roll(6); i >= 0; i--) {
              const answer = limiter.tryAcquire("chat");
              if (!answer.granted) break;
              total++;
              const arrivesAt = world + roll(50);
              requests.push({ lease: answer, arrivesAt, endsAt: arrivesAt + 1 + roll(3_000), isSent: false });
              own.add(answer);
            }
          }
          if (isDrained) for (let i = 0; i < 62; i++) pass(50);
          snapshot = limiter.snapshot();
          if (Number.isNaN(clockStep)) snapshot = { ...snapshot, savedAt: null };
          world += downMs;
          serve(world);
        }
        expect(refused).toBe(0);
      },
    ),
    { numRuns: propertyRuns(300) },
  );
  expect(total).toBeGreaterThan(100);
});
