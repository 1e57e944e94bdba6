// Limits that a provider reports with its responses, for one quota. Created by the first report.
//
//   capacity now = limit - min(own + others, stated + 0.02 others)
//     own:    used + reserved, by the tracker
//     stated: the least of  - reported - answered - amount + G                             any provider
//                           - F + the largest amount reported in the window, 0 after it      a fixed window
//                           - F + debt - rate x (t - answer), of the largest debt            a token bucket
//
//   reported: limit - remaining of a report           amount: of the request that brought it
//   G, F:     amounts granted so far; those of them that are in flight (unanswered)
//   answered: amounts answered when that request was granted. The provider had counted them, so that the report contains them
//   others:   1.05 x the reported amounts that own requests do not explain, the greatest of this and the previous window
//
// Regimes: each part alone is never less than what the provider counts, whatever the delays and the order of arrival, so the
// least is safe. The first holds for every provider, because what remains never falls by time alone. The other two need the
// kind of the reset, and a report of every answered request: an amount that was answered without one is added. A report that
// took longer than a tenth of the window is too old for them. Refunds of answered requests are left out until a report
// contains them. Only resets and refills give capacity to the future. Other users are those of the same key.
// Source: simulated (bench/reported-limits.ts). Whole-second resets taken at their word cost 40 % 429s on fixed windows. The
// two shares of others lower the 429s beside another user with 30 % of the limit from 0.7 to 0.2 %.

import { firstInstant } from "../clock/first-instant.ts";
import { ceilWithTolerance } from "./ceil-with-tolerance.ts";

/** One report, with valid fields only. */
export interface Report {
  readonly limit?: number | undefined;
  readonly remaining?: number | undefined;
  readonly resetMs?: number | undefined;
  readonly resetKind?: ResetKind | undefined;
  readonly resolutionMs?: number | undefined;
}

type ResetKind = "full" | "window";

/** State at the grant of a request. */
export interface Mark {
  readonly answered: number;
  readonly unreported: number;
  /** `used + reserved - G`. */
  readonly own: number;
}

/** Share of the window after which a report is too old to be dated. */
const LATE = 0.1;
/** Factor for the variation of other users' amounts, and the share of them that can arrive after the report. */
const VARIATION = 1.05;
const ARRIVING = 0.02;
const COARSE = 0.05; // Largest share of the window that a usable reset can be rounded by.
/** Least time for which a reported limit lasts. One that is too low for every request would last for ever. */
const LIMIT_LASTS_MS = 600_000;

/** Reports of one quota. Constant memory, O(1). */
export class ReportedLimits {
  /** Latest reported limit; Infinity: none. */
  limit: number = Infinity;
  /** Amount per ms that a bucket of the limit in force refills. */
  ratePerMs = 0;
  readonly #windowMs: number;
  readonly #hasResets: boolean;
  readonly #evidence = new Evidence();
  #granted: number;
  #inFlight: number;
  /** Sum of the amounts that were answered without a report of the present kind. */
  #unreported: number;
  #limitAt = -Infinity;
  // `reported - answered - amount` of the latest granted request.
  #stated = Infinity;
  #statedAt = -Infinity;
  #kind: ResetKind | null = null;
  // Fixed window.
  #resetAt = -Infinity;
  #windowStated = 0;
  #windowUnreported = 0;
  // Token bucket: the debt of the answered requests at an instant.
  #debt = 0;
  #debtAt = 0;
  // Greatest amount of other users in this window and in the one before.
  #others = 0;
  #othersBefore = 0;
  #othersFrom = -Infinity;

  /** `used`: counted before the first report. `reserved`: in flight. `hasResets`: false if resets have no meaning. */
  constructor(used: number, reserved: number, windowMs: number, hasResets: boolean) {
    this.#granted = used + reserved;
    this.#inFlight = reserved;
    this.#unreported = used;
    this.#windowMs = windowMs;
    this.#hasResets = hasResets;
  }

  /** Mark of a request that is granted now; `taken`: used and reserved, with its own amount. */
  mark(taken: number): Mark {
    return {
      answered: this.#granted - this.#inFlight,
      unreported: this.#unreported,
      own: taken - this.#granted,
    };
  }

  /** Mark of a request that was granted before the first report. Nothing is known to be counted. */
  earlierMark(taken: number): Mark {
    return { answered: 0, unreported: 0, own: taken - this.#granted };
  }

  /** An amount was granted, a request in flight turned out to need another one, or it was never sent. */
  changeInFlight(delta: number): void {
    this.#granted += delta;
    this.#inFlight += delta;
  }

  /** A request is not in flight any more. `isCovered`: its report is of the present kind, so that it contains the amount. */
  answered(amount: number, isCovered: boolean, now: number): void {
    this.#inFlight -= amount;
    if (!isCovered) this.#addUnreported(amount, now);
  }

  /** An amount was counted that was never in flight. */
  counted(amount: number, isCovered: boolean, now: number): void {
    this.#granted += amount;
    if (!isCovered) this.#addUnreported(amount, now);
  }

  /**
   * Applies a report of a request of the amount `own` that was granted at `grantedAt`. `ceiling`: limit in force. Returns
   * true if the report is of a known kind and contains the request.
   */
  apply(report: Report, mark: Mark, own: number, grantedAt: number, ceiling: number, now: number): boolean {
    const { remaining } = report;
    if (remaining === undefined) return false;
    const stated = Math.max(0, (report.limit ?? ceiling) - remaining);
    const base = stated - mark.answered - own;
    if (grantedAt > this.#statedAt || (grantedAt === this.#statedAt && base < this.#stated)) {
      this.#stated = base;
      this.#statedAt = grantedAt;
    }
    this.#noteOthers(ceiling - remaining - mark.own - this.#granted, now);
    if (!this.#hasResets || now - grantedAt > LATE * this.#windowMs) return false;
    const kind = report.resetKind ?? this.#evidence.kindFrom(report, stated, this.#windowMs, now);
    if (kind === null) return false;
    if (kind === "full" ? report.limit === undefined : !isUsable(report, this.#windowMs)) return false;
    if (kind !== this.#kind) {
      // The other kind covered answers that this one does not.
      if (this.#kind !== null) this.#unreported = this.#granted - this.#inFlight;
      this.#kind = kind;
      this.#debt = 0;
      this.#resetAt = -Infinity;
    }
    const most = stated + this.#unreported - mark.unreported;
    if (kind === "full") {
      this.#debt = Math.max(this.#debtBy(now), Math.min(most, Math.max(stated, this.limit)));
      this.#debtAt = now;
    } else this.#applyReset(now + report.resetMs! + (report.resolutionMs ?? 0), most, mark.unreported, now);
    return true;
  }

  /** Notes the limit of a report; true if it is another one. Reports of older requests are ignored. */
  applyLimit({ limit }: Report, grantedAt: number): boolean {
    if (limit === undefined || grantedAt < this.#limitAt) return false;
    this.#limitAt = grantedAt;
    const isOther = limit !== this.limit;
    this.limit = limit;
    return isOther;
  }

  /** Amount taken at `at`; `own`: used and reserved by the tracker then. */
  taken(at: number, own: number): number {
    const others = this.others(at);
    const stated = Math.min(this.#stated + this.#granted, this.#kind === null ? Infinity : this.#takenByReset(at));
    return Math.min(own + others, stated + Math.ceil(ARRIVING * others));
  }

  /** Amount of other users that is to be expected at `at`. */
  others(at: number): number {
    const windows = (at - this.#othersFrom) / this.#windowMs;
    return windows < 1 ? Math.max(this.#others, this.#othersBefore) : windows < 2 ? this.#others : 0;
  }

  /** When other users are forgotten if no further report shows them. */
  get othersUntil(): number {
    return this.#othersFrom + 2 * this.#windowMs;
  }

  /** First instant at which a reset or the refill leaves at most `most` taken. Infinity: none. */
  takenAtMostFrom(most: number, now: number): number {
    const rest = most - this.#inFlight - Math.ceil(ARRIVING * this.others(now));
    if (this.#kind === "window") return this.#resetAt > now && this.#afterReset <= rest ? this.#resetAt : Infinity;
    if (this.#kind === null || rest < 0 || this.ratePerMs === 0) return Infinity;
    const at = Math.max(now, this.#debtAt + (this.#debt - rest) / this.ratePerMs);
    return firstInstant(at, (instant) => this.#takenByReset(instant) - this.#inFlight <= rest);
  }

  /** The limit and the amounts of other users, with ages. The next report states again what the provider has left. */
  save(now: number): (number | null)[] {
    const age = (at: number) => (at === -Infinity ? null : Math.max(0, now - at));
    const limits = [this.limit === Infinity ? null : this.limit, age(this.#limitAt)];
    return [...limits, Math.max(0, this.#others), Math.max(0, this.#othersBefore), age(this.#othersFrom)];
  }

  restore([limit, limitMs, others, before, fromMs]: readonly (number | null)[], savedAt: number): void {
    this.limit = limit ?? Infinity;
    this.#limitAt = savedAt - (limitMs ?? Infinity);
    [this.#others, this.#othersBefore] = [others ?? 0, before ?? 0];
    this.#othersFrom = savedAt - (fromMs ?? Infinity);
  }

  /** Time alone changes nothing before this instant. -Infinity: it changes at every instant. */
  unchangedUntil(now: number): number {
    if (this.#kind === "full" && this.#debtBy(now) > 0) return -Infinity;
    const { othersUntil } = this;
    const instants = [this.#resetAt, othersUntil - this.#windowMs, othersUntil, this.limitUntil];
    return Math.min(...instants.map((at) => (at > now ? at : Infinity)));
  }

  /** When the reported limit is forgotten if no further report states one. */
  get limitUntil(): number {
    return this.limit === Infinity ? Infinity : this.#limitAt + Math.max(LIMIT_LASTS_MS, 2 * this.#windowMs);
  }

  get #afterReset(): number {
    return this.#unreported - this.#windowUnreported;
  }

  #takenByReset(at: number): number {
    if (this.#kind === "full") return this.#inFlight + ceilWithTolerance(this.#debtBy(at), 4);
    return this.#inFlight + (at >= this.#resetAt ? this.#afterReset : this.#windowStated);
  }

  #debtBy(at: number): number {
    return Math.max(0, this.#debt - Math.max(0, at - this.#debtAt) * this.ratePerMs);
  }

  #addUnreported(amount: number, now: number): void {
    this.#unreported += amount;
    this.#windowStated += amount;
    this.#debt = Math.min(this.#debtBy(now) + amount, this.limit);
    this.#debtAt = now;
  }

  /** Applies the end of a fixed window. Ends that agree within half a window are the same one. */
  #applyReset(resetAt: number, stated: number, unreported: number, now: number): void {
    const half = this.#windowMs / 2;
    if (resetAt > this.#resetAt + half) {
      this.#resetAt = resetAt;
      this.#windowStated = stated;
      this.#windowUnreported = unreported;
    } else if (resetAt >= this.#resetAt - half) {
      if (this.#resetAt > now) this.#resetAt = Math.max(this.#resetAt, resetAt);
      this.#windowStated = Math.max(this.#windowStated, stated);
    }
  }

  #noteOthers(amount: number, now: number): void {
    const windows = (now - this.#othersFrom) / this.#windowMs;
    if (windows >= 1) {
      this.#othersBefore = windows < 2 ? this.#others : 0;
      this.#others = 0;
      this.#othersFrom = now;
    }
    this.#others = Math.max(this.#others, Math.ceil(VARIATION * amount));
  }
}

/** True if the reset is exact enough. */
function isUsable({ resetMs, resolutionMs = 0 }: Report, windowMs: number): boolean {
  return resetMs !== undefined && resetMs <= 2 * windowMs && resolutionMs <= COARSE * windowMs;
}

/** True if a reset is the time in which a bucket refills the stated amount. */
export function isTimeToFull({ resetMs, limit, resolutionMs = 0 }: Report, stated: number, windowMs: number): boolean {
  if (resetMs === undefined || limit === undefined || stated <= 0) return false;
  const expected = (stated * windowMs) / limit;
  return Math.abs(resetMs - expected) <= SIMILAR * expected + resolutionMs;
}

// Number of reports that prove a kind, and the shares of the window that they must span and agree within.
const PROOFS = 5;
const SAME = 0.02;
/** Smallest limit of which the kind can be found. */
const SMALLEST = 200;
const SIMILAR = 0.05;

/** Finds the kind of resets if the provider does not state it, from reports that only one kind explains. */
class Evidence {
  #kind: ResetKind | null = null;
  #since = 0;
  #resetAt = 0;
  #remaining = -1;
  #full = 0;
  #window = 0;

  kindFrom(report: Report, stated: number, windowMs: number, now: number): ResetKind | null {
    const { limit = 0 } = report;
    // The rounding is too large a share of a small amount, and too few amounts of a small limit are larger.
    if (!isUsable(report, windowMs) || SIMILAR * stated < 1 || limit < SMALLEST) return this.#kind;
    const resetAt = now + report.resetMs!;
    const isFull = isTimeToFull(report, stated, windowMs);
    const movedMs = resetAt - this.#resetAt;
    const isSame = Math.abs(movedMs) <= SAME * windowMs + (report.resolutionMs ?? 0);
    // The next window.
    if (this.#kind === "window" && movedMs > windowMs / 2) this.#resetAt = resetAt;
    // A report that contradicts the evidence is the first of new evidence.
    else if (this.#full + this.#window === 0 || (!isFull && this.#full > 0) || (!isSame && this.#window > 0)) {
      this.#kind = null;
      this.#since = now;
      this.#resetAt = resetAt;
      this.#full = 0;
      this.#window = 0;
    }
    // At the beginning of a window that is full at once, both kinds look the same.
    if (isFull && stated <= limit / 2) this.#full++;
    else if (!isFull && report.remaining !== this.#remaining) this.#window++;
    this.#remaining = report.remaining!;
    // Delays alone move a reset by less.
    if (now - this.#since <= LATE * windowMs) return this.#kind;
    if (this.#full >= PROOFS && movedMs > LATE * windowMs) this.#kind = "full";
    else if (this.#window >= PROOFS && this.#full === 0) this.#kind = "window";
    return this.#kind;
  }
}
