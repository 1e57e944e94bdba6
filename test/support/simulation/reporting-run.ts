// One run of a saturated limiter against a server that reports its limit, with delays, reordering, aborts, and amounts that
// turn out to be smaller. After every step the capacity that the limiter computes is compared with that of the server.
import {
  GrateLimiter,
  type GrateLimiterOptions,
  type Lease,
  MockClock,
  type QuotaConfig,
  type ReportedQuota,
} from "../../../src/index.ts";
import { seededRandom } from "../seeded-random.ts";
import type { LimitModel, Statement } from "./reporting-server.ts";

export interface ReportingRun {
  readonly seed: number;
  readonly model: LimitModel;
  readonly quota: QuotaConfig;
  /** Longest time to the server, and back. */
  readonly thereMs: number;
  readonly backMs: number;
  /** Shares of the requests that are aborted, that end without a report, and that turn out to be smaller. */
  readonly aborts: number;
  readonly silent: number;
  readonly corrections: number;
  /** Rounds a reset, given in seconds. */
  readonly round?: ((seconds: number) => number) | undefined;
  readonly statesKind: boolean;
  readonly statesReset: boolean;
  readonly options?: Partial<GrateLimiterOptions>;
  /** Time after the first report from which the results count. */
  readonly graceMs?: number;
  readonly untilMs: number;
}

export interface ReportingResult {
  readonly granted: number;
  readonly refused: number;
  /** 429s of requests that were granted later than `graceMs` after the first report. */
  readonly refusedLater: number;
  /** Largest amount by which the limiter's capacity exceeded that of the server, from the same instant on. */
  readonly excess: number;
  readonly limiter: GrateLimiter;
}

export function runReporting(run: ReportingRun): ReportingResult {
  const { model, quota } = run;
  const random = seededRandom(run.seed);
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    random: () => 0.5,
    providers: [{ name: "p", quotas: [quota] }],
    capabilities: { c: ["p"] },
    ...run.options,
  });
  const isOfTokens = quota.dimension === "tokens";
  const between = (least: number, most: number) => least + (most - least) * random();
  const after = (ms: number, happen: () => void) => clock.wakeAt(clock.now() + Math.round(ms * 16) / 16, happen);
  let granted = 0;
  let refused = 0;
  let refusedLater = 0;
  let excess = 0;
  /** Amounts that were granted, will arrive, and have not arrived. */
  let onTheirWay = 0;
  let firstReportAt = Infinity;
  const isReported = () => clock.now() >= firstReportAt + (run.graceMs ?? 0);

  const reportOf = ({ remaining, resetMs, resetKind }: Statement): ReportedQuota[] => {
    if (random() < run.silent) return [];
    firstReportAt = Math.min(firstReportAt, clock.now());
    const report: ReportedQuota = { dimension: quota.dimension, window: "minute", limit: model.limit, remaining };
    if (run.statesKind) report.resetKind = resetKind;
    if (resetMs === undefined || !run.statesReset) return [report];
    const { round } = run;
    return [{ ...report, ...(round ? { resetMs: 1_000 * round(resetMs / 1_000), resolutionMs: 1_000 } : { resetMs }) }];
  };
  const check = () => {
    const own = limiter.remainingQuota("p", quota.dimension)!;
    if (own > 0 && isReported()) excess = Math.max(excess, own - (model.free(clock.now()) - onTheirWay));
  };

  const send = (lease: Lease, amount: number) => {
    const wasReported = isReported();
    granted++;
    onTheirWay += amount;
    let isGone = false;
    const isAborted = random() < run.aborts;
    const actual = isOfTokens && random() < run.corrections ? Math.ceil(amount * random()) : amount;
    const thereMs = between(0, run.thereMs);
    if (isAborted) {
      after(between(0, 2 * run.thereMs), () => {
        isGone = true;
        lease.settle({ status: random() < 0.5 ? "cancelled" : "timeout" });
        step();
      });
    }
    after(thereMs, () => {
      onTheirWay -= amount;
      // The connection was closed before it arrived.
      if (isGone && random() < 0.5) return check();
      const arrivedAt = clock.now();
      const statement = model.arrive(amount, arrivedAt);
      if (!statement.isAccepted) {
        refused++;
        if (wasReported) refusedLater++;
      }
      const bodyMs = between(0, 3_000);
      const backMs = between(0, run.backMs);
      const hasHeaders = random() < 0.7;
      if (statement.isAccepted) after(bodyMs, () => model.refund(amount - actual, arrivedAt, clock.now()));
      if (statement.isAccepted && hasHeaders) {
        after(backMs, () => {
          if (!isGone) lease.headersReceived({ reported: reportOf(statement) });
          step();
        });
      }
      after(backMs + bodyMs, () => {
        if (isGone) return;
        const reported = hasHeaders ? undefined : reportOf(statement);
        const usage = isOfTokens ? { tokens: actual } : undefined;
        if (statement.isAccepted) lease.settle({ usage, reported });
        else lease.settle({ status: 429, reported });
        step();
      });
    });
  };
  const serve = () => {
    for (let burst = Math.floor(between(0, 9)); burst > 0; burst--) {
      const amount = isOfTokens ? Math.ceil(between(0, 4)) : 1;
      const lease = limiter.tryAcquire("c", isOfTokens ? { tokens: amount } : {});
      if (!lease.granted) return;
      send(lease, amount);
    }
  };
  const step = () => {
    check();
    serve();
    check();
  };
  const tick = () => {
    step();
    after(between(0, 1_500), tick);
  };
  tick();
  clock.advanceMs(run.untilMs);
  return { granted, refused, refusedLater, excess, limiter };
}
