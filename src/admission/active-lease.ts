import type { Decision } from "../api/decision.ts";
import type { DialectName } from "../api/dialect-name.ts";
import type { KeptLease, Settlement } from "../api/lease.ts";
import type { ResponseReport } from "../api/reported-quota.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { ClientUsage, ReportedUsage, Usage } from "../api/usage.ts";
import type { Outcome } from "../health/health.ts";
import { updateHealth } from "../observation/apply-observation.ts";
import { readUsage } from "../observation/outcome-fields.ts";
import { parseSettlement, SUCCEEDED } from "../observation/parse-settlement.ts";
import { readReports } from "../observation/reported-quotas.ts";
import { safeGet } from "../observation/safe-get.ts";
import { reportUnrecognized } from "../observation/unrecognized-outcome.ts";
import { COST_USD } from "../quota/dimension-index.ts";
import type { Quota } from "../quota/quota.ts";
import type { Report } from "../quota/reported-limits.ts";
import { unspecifiedUsage, usageOf } from "../quota/usage-vector.ts";
import { knownUsage } from "./final-usage.ts";
import type { Candidate, LeaseContext } from "./lease-context.ts";
import { LeaseLife } from "./lease-life.ts";
import { isOpen } from "./lease-state.ts";

type Ending = Outcome & { readonly reported?: unknown };

const SUCCESS: Ending = { status: "success", latencyMs: null, retryAfterMs: null, knownResetAt: null };

/** A lease; members that its public interface does not have are for the admission alone. */
export class ActiveLease extends LeaseLife implements KeptLease {
  readonly granted = true;
  readonly provider: string;
  readonly capability: string;

  constructor(context: LeaseContext, candidate: Candidate, order: number, now: number, timeoutMs: number) {
    super(context, candidate, order, now, timeoutMs);
    this.provider = candidate.provider.name;
    this.capability = candidate.capability.name;
  }

  /** True once the usage was reported. */
  get hasReported(): boolean {
    return this.reported !== null;
  }

  get dialect(): DialectName | null {
    return this.candidate.provider.settings.dialect;
  }

  get decision(): Decision {
    return this.candidate.decision;
  }

  get reserved(): Usage {
    return usageOf(this.candidate.needs.amounts);
  }

  /** Most that the request can cost in micro-USD, or the estimate if that is unknown; null: it has no price. */
  get costBound(): number | null {
    const { provider, request, needs } = this.candidate;
    const estimate = needs.amounts[COST_USD]!;
    return request.mostCost(provider.settings.price) ?? (estimate < 0 ? null : estimate);
  }

  get settled(): boolean {
    // A read brings the limiter up to date, which includes the expiry of this lease.
    this.context.beginStep();
    this.context.endStep();
    return this.hasEnded;
  }

  headersReceived(report?: ResponseReport): void {
    const now = this.context.beginStep();
    if (isOpen(this.state)) {
      if (report !== undefined) this.#applyReports(safeGet(report, "reported"), null, now);
      this.apply("headers", now);
      this.context.capacityFreed();
    }
    this.context.endStep();
  }

  report(usage: ReportedUsage | ClientUsage | null | undefined): void {
    if (usage === null || usage === undefined) return;
    const now = this.context.beginStep();
    if (isOpen(this.state)) {
      this.reported = unspecifiedUsage();
      this.context.counters.invalidUsages += readUsage(usage, this.reported);
      this.adjust("success", now, this.holdings.amounts);
    }
    this.context.endStep();
  }

  settle(settlement: Settlement | StatusClass | number = SUCCEEDED): void {
    const now = this.context.beginStep();
    if (isOpen(this.state)) this.#settle(settlement === SUCCEEDED ? SUCCESS : this.#read(settlement), now);
    this.context.endStep();
  }

  release(): void {
    const now = this.context.beginStep();
    if (this.state.kind === "answered") {
      this.#settle(parseSettlement({ status: "cancelled" }, this.context.profile.vocabulary), now);
    } else if (isOpen(this.state)) {
      this.context.counters.leasesReleased++;
      this.holdings.cancel(now);
      this.onUsage?.();
      this.apply("release", now);
    }
    this.context.endStep();
  }

  [Symbol.dispose](): void {
    this.settle({ status: "cancelled" });
  }

  read(): void {
    this.streamRead(this.context.beginStep());
    this.context.endStep();
  }

  protected emitExpired(): void {
    this.context.events.emit("leaseExpired", { lease: this });
  }

  #read(settlement: unknown): Ending {
    const { counters, profile } = this.context;
    const ending = parseSettlement(settlement, profile.vocabulary);
    counters.invalidUsages += ending.invalid;
    if (!ending.isReadable) reportUnrecognized(settlement, this, this.context);
    this.reported = ending.amounts ?? this.reported;
    return ending;
  }

  #applyReports(reported: unknown, status: StatusClass | null, now: number): void {
    const { provider } = this.candidate;
    if (provider.discovery !== null) this.context.discoverLimits(provider, reported, status, now);
    if (reported === undefined) return;
    const { counters, profile } = this.context;
    const apply = (quota: Quota, report: Report) => this.holdings.applyReport(quota, report, now);
    readReports(reported, provider.quotas, counters, profile.vocabulary, apply);
  }

  #settle(ending: Ending, now: number): void {
    const context = this.context;
    const { provider, capability, request } = this.candidate;
    const { status, retryAfterMs, knownResetAt } = ending;
    const latencyMs = ending.latencyMs ?? now - this.grantedAt;
    context.counters.leasesSettled++;
    if (status === "success" && provider.hasSizes && provider.isRegistered) {
      const size = capability.sizeOn(provider.name);
      size.learn(this.reported ?? unspecifiedUsage(), request.statedSize, provider.quotas, now);
      provider.invalidate();
    }
    this.adjust(status, now, knownUsage(status, this.candidate, this, this.reported));
    this.#applyReports(ending.reported, status, now);
    this.apply(status === "timeout" || status === "cancelled" ? "abandon" : "settle", now);
    if (status !== "cancelled" && provider.isRegistered) {
      capability.countUnsuitable(this.provider, status === "unsuitable", context.events);
      updateHealth(provider, { status, latencyMs, retryAfterMs, knownResetAt }, this.grantedAt, context, now);
    }
    if (context.events.hasListener("leaseSettled")) {
      context.events.emit("leaseSettled", { lease: this, status, latencyMs });
    }
  }
}
