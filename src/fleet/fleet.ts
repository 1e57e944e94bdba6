// The limits of one limiter as far as processes share them: its groups, and when they exchange messages.
//
//   every step of the limiter ends here: wants of the wait queue -> messages that are due -> one timer for the next one
//
// Regimes: nothing runs between steps except that timer. It keeps the process alive only while a call waits.

import type { StoreAnswer, StoreContract, StoreFact, StoreMessage } from "../api/store.ts";
import type { StoreInspection } from "../api/store-inspection.ts";
import { TimerHeap } from "../clock/timer-heap.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { Quota } from "../quota/quota.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { Allowance } from "./allowance.ts";
import { FleetGroup } from "./fleet-group.ts";
import type { FleetHost, FleetLink, FleetOptions, FleetWaiter } from "./fleet-link.ts";
import type { GroupContext } from "./group-context.ts";
import { type GroupMembers, groupsOf, quotasOf } from "./group-names.ts";
import { SharedHealth } from "./shared-health.ts";
import { StoreAnswers } from "./store-answers.ts";
import { wantsOf } from "./wants.ts";

/** Exchanges that a call waits for at most: the one on its way, and its own. */
const EXCHANGES_AWAITED = 2;

/** Connection of one limiter to the other processes. */
export class Fleet implements FleetLink, GroupContext<FleetGroup> {
  readonly host: FleetHost;
  readonly options: FleetOptions;
  readonly timeoutMs: number;
  readonly processId: string = newProcessId();
  readonly #store: StoreContract;
  readonly #answers: StoreAnswers;
  readonly #groups = new Map<string, FleetGroup>();
  readonly #ofProvider = new Map<Provider, FleetGroup>();
  readonly #ofQuota = new Map<Quota, Allowance>();
  readonly #health = new Map<Provider, SharedHealth>();
  /** Providers of which health has to be compared. */
  readonly #active = new Set<SharedHealth>();
  readonly #changed = new Set<FleetGroup>();
  readonly #due = new TimerHeap<FleetGroup>();
  readonly #down = new Set<FleetGroup>();
  #orders = 0;
  #waits = false;
  #expiresAt = Infinity;
  #downSince: number | null = null;
  #lastRoundTripMs: number | null = null;
  #timerAt = Infinity;
  #isBackground = true;
  #cancelTimer: (() => void) | null = null;

  constructor(host: FleetHost, options: FleetOptions, store: StoreContract) {
    this.host = host;
    this.options = options;
    this.#store = store;
    this.timeoutMs = store.timeoutMs ?? 500;
    this.#answers = new StoreAnswers(host, EXCHANGES_AWAITED * this.timeoutMs);
    const noteHealth = ({ provider }: { readonly provider: string }) => {
      const health = this.#health.get(host.registry.providers.get(provider)!);
      if (health !== undefined) this.#active.add(health);
    };
    for (const event of ["cooldownStarted", "providerDead", "providerRevived"] as const)
      host.events.on(event, noteHealth);
  }

  deadlineOf(capability: Capability, request: RequestSpec, deadline: number, now: number): number {
    return this.#answers.deadlineOf(capability, request, deadline, now);
  }

  add(waiter: FleetWaiter, patienceEnd: number): void {
    this.#answers.add(waiter, patienceEnd);
  }

  delete(waiter: FleetWaiter): void {
    this.#answers.delete(waiter);
  }

  answeredCalls(now: number): FleetWaiter[] {
    return this.#answers.answered(now);
  }

  beginStep(now: number): void {
    if (now < this.#expiresAt) return;
    this.#expiresAt = Infinity;
    for (const group of this.#groups.values()) {
      group.beginStep(now);
      this.#expiresAt = Math.min(this.#expiresAt, group.expiresAt);
    }
  }

  endStep(now: number): void {
    for (const health of this.#active) this.#compareHealth(health, now);
    if (this.#waits && this.#canAsk) this.collectWants();
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const group of changed) this.#plan(group, now);
    for (let group = this.#due.first; group !== undefined && group.dueAt <= now; group = this.#due.first) {
      this.#plan(group, now);
    }
    this.#setTimer();
  }

  callWaits(): void {
    this.#waits = true;
  }

  reconfigured(now: number): void {
    const before = new Map(this.#ofQuota);
    this.#ofProvider.clear();
    this.#ofQuota.clear();
    const used = new Set<FleetGroup>();
    for (const members of groupsOf(this.host.registry.providers.values())) {
      let group = this.#groups.get(members.name);
      if (group === undefined) {
        group = new FleetGroup(members.name, this.#orders++, this);
        this.#groups.set(members.name, group);
      }
      used.add(group);
      this.#attach(group, members, before, now);
    }
    for (const quota of before.keys()) if (!this.#ofQuota.has(quota)) quota.share = null;
    for (const group of this.#groups.values()) {
      if (used.has(group)) continue;
      group.isClosed = true;
      group.wants = [];
      this.#changed.add(group);
    }
    this.#waits = true;
  }

  async flush(): Promise<void> {
    const flushes = [...this.#groups.values()].map((group) => group.flush());
    this.host.beginStep();
    this.host.endStep();
    await Promise.all(flushes);
  }

  close(): Promise<void> {
    for (const group of this.#groups.values()) group.isClosed = true;
    return this.flush();
  }

  inspect(now: number): StoreInspection {
    const groups = [...this.#groups.values()];
    const isConnected = groups.some(({ state }) => state === "connected");
    return {
      state: this.#downSince !== null ? "down" : isConnected || groups.length === 0 ? "connected" : "joining",
      downMs: this.#downSince === null ? 0 : now - this.#downSince,
      processes: Math.max(1, ...groups.map(({ processes }) => processes)),
      lastRoundTripMs: this.#lastRoundTripMs,
    };
  }

  exchange(group: string, sent: StoreMessage): Promise<StoreAnswer> {
    // A store that throws, or returns no promise, is one that rejects or answers immediately.
    return new Promise((resolve) => resolve(this.#store.exchange(group, sent)));
  }

  groupChanged(group: FleetGroup): void {
    this.#changed.add(group);
  }

  failed(group: FleetGroup, error: unknown): void {
    const { counters, events, now } = this.host;
    counters.storeFailures++;
    this.#down.add(group);
    if (this.#downSince !== null) return;
    this.#downSince = now;
    events.emit("storeDown", { error });
  }

  answered(group: FleetGroup, tookMs: number): void {
    const { counters, events, now } = this.host;
    counters.storeExchanges++;
    this.#lastRoundTripMs = tookMs;
    this.#down.delete(group);
    if (this.#downSince === null || this.#down.size > 0) return;
    events.emit("storeUp", { downMs: now - this.#downSince });
    this.#downSince = null;
  }

  #attach(group: FleetGroup, members: GroupMembers, before: ReadonlyMap<Quota, Allowance>, now: number): void {
    const ofId = new Map(group.allowances.map((allowance) => [allowance.id, allowance]));
    group.allowances = [...quotasOf(members)].map(([id, quota]) => {
      const known = ofId.get(id);
      let allowance = before.get(quota);
      if (allowance === undefined || allowance !== known) {
        allowance = new Allowance(quota, id, countingMs(quota, now), group);
        if (known !== undefined) allowance.continueFrom(known);
        else allowance.count(quota.tracker.used(now), now);
      }
      quota.share = allowance;
      this.#ofQuota.set(quota, allowance);
      quota.changed();
      return allowance;
    });
    for (const provider of members.providers) {
      this.#ofProvider.set(provider, group);
      let health = this.#health.get(provider);
      if (health?.state !== group) {
        health = new SharedHealth(provider, this.host, group);
        this.#health.set(provider, health);
        this.#active.add(health);
      }
      if (health.trial !== null) group.allowances = [...group.allowances, health.trial];
    }
    this.#changed.add(group);
  }

  get #canAsk(): boolean {
    for (const group of this.#groups.values()) if (!group.isAsking) return true;
    return false;
  }

  collectWants(): void {
    this.#waits = false;
    const wants = wantsOf(
      this.host,
      (provider) => this.#ofProvider.get(provider),
      (quota) => this.#ofQuota.get(quota),
      (provider) => this.#health.get(provider)?.trial ?? undefined,
    );
    for (const group of this.#groups.values()) {
      const wanted = wants.get(group) ?? [];
      if (wanted.length === 0 && group.wants.length === 0) continue;
      group.wants = wanted;
      this.#changed.add(group);
    }
  }

  factsOf(group: FleetGroup, now: number): readonly StoreFact[] {
    return this.#healthOf(group).flatMap((health) => health.facts(now));
  }

  learn(group: FleetGroup, sent: readonly StoreFact[], facts: readonly StoreFact[], now: number): void {
    const healths = this.#healthOf(group);
    const byKey = new Map(facts.map((fact) => [fact.key, fact]));
    for (const health of healths) {
      if (sent.length > 0) health.sent(sent);
      for (const key of health.keys) {
        const fact = byKey.get(key);
        if (fact !== undefined && health.learn(fact, now, group.processes)) this.#active.add(health);
      }
    }
    group.hasNews = healths.some(({ hasNews }) => hasNews);
  }

  #healthOf(group: FleetGroup): SharedHealth[] {
    return [...this.#health].flatMap(([provider, health]) => (this.#ofProvider.get(provider) === group ? health : []));
  }

  #compareHealth(health: SharedHealth, now: number): void {
    const group = this.#ofProvider.get(health.provider);
    if (group !== undefined && health.compare(now, group.processes)) {
      const isTrial = ({ id }: Allowance) => id === health.trialId;
      group.allowances = group.allowances.filter((allowance) => !isTrial(allowance));
      if (health.trial !== null) group.allowances = [...group.allowances, health.trial];
    }
    if (group !== undefined && health.hasNews && !group.hasNews) {
      group.hasNews = true;
      this.#changed.add(group);
    }
    if (!health.isActive) this.#active.delete(health);
  }

  #plan(group: FleetGroup, now: number): void {
    group.plan(now);
    this.#expiresAt = Math.min(this.#expiresAt, group.expiresAt);
    if (group.dueAt < Infinity) this.#due.put(group);
    else this.#due.remove(group);
  }

  #setTimer(): void {
    const at = this.#due.first?.dueAt ?? Infinity;
    const isBackground = this.host.waiters[Symbol.iterator]().next().done === true;
    if (at === this.#timerAt && isBackground === this.#isBackground) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#isBackground = isBackground;
    this.#cancelTimer = at < Infinity ? this.host.wakeAt(at, () => this.#wake(), isBackground) : null;
  }

  #wake(): void {
    this.#timerAt = Infinity;
    this.#cancelTimer = null;
    this.host.beginStep();
    this.host.endStep();
  }
}

/** How long usage of a quota counts (ms). */
function countingMs({ spec, tracker, capacity }: Quota, now: number): number {
  if (spec.strategy === "concurrency") return Infinity;
  if (spec.strategy === "token_bucket") return Math.max(1, (capacity / Math.max(1, spec.limit)) * spec.windowMs!);
  const resets = tracker.resets?.(now);
  return spec.windowMs ?? Math.max(resets!.at - now, resets!.nextAt - resets!.at);
}

function newProcessId(): string {
  const part = () => Math.random().toString(36).slice(2, 12);
  return part() + part();
}
