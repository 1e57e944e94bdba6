// Runs one random script with a limiter and with the model of its rules, and throws at the first difference.

import { GrateLimiter, type Lease, NoAvailableProviders, type ProviderConfig, type Refusal } from "../../src/index.ts";
import { CountingClock } from "./counting-clock.ts";
import { LeaseExpectations } from "./lease-expectations.ts";
import { LONGEST_COOLDOWN_MS, Model, type ModelLease, ModelProvider, type ModelQuota } from "./lease-model.ts";
import {
  FIRST_COOLDOWN_MS,
  modelQuota,
  needsOf,
  type QuotaShape,
  quotasOf,
  type RequestedAmounts,
  type Scenario,
  type Step,
  type Waiter,
} from "./lease-scenario.ts";
import { flushPromises } from "./limiter-fixture.ts";

// D7: the model assumes that any combination of endings is possible.
const LENIENT = true;

export class LeaseModelRun {
  readonly clock = new CountingClock();
  readonly limiter: GrateLimiter;
  readonly model: Model;
  readonly leases: { lease: Lease; model: ModelLease }[] = [];
  readonly waiters: Waiter[] = [];
  readonly #scenario: Scenario;
  readonly #pool: { quotas: ModelQuota[] };
  readonly #expectations: LeaseExpectations;
  readonly #answers: { readonly at: number; readonly lease?: Lease; readonly refusal?: Refusal }[] = [];
  #now = 0;
  #lastActivity = 0;
  #order = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const { key = [] } = scenario;
    this.model = new Model(scenario.skewCapMs, () => key.map(modelQuota));
    this.limiter = new GrateLimiter({
      clock: this.clock,
      ...{ skewCapMs: scenario.skewCapMs, leaseTimeoutMs: scenario.leaseTimeoutMs, maxWaiting: scenario.maxWaiting },
      minimumHealthScore: 0,
      // No cooldown is so long that it can be probed.
      health: {
        cooldownTriggerCount: 1_000_000,
        maxCooldownSeconds: LONGEST_COOLDOWN_MS / 1_000,
        recheckDeadAfterMs: Number.POSITIVE_INFINITY,
      },
      pools: { org: { quotas: quotasOf(scenario.pool) } },
      providers: [this.#config("a", scenario.a), this.#config("b", scenario.b)],
      capabilities: { chat: ["a", "b"], mail: ["b"], solo: ["a"] },
      ...(key.length > 0 && { keyLimits: { quotas: quotasOf(key) } }),
    });
    this.#pool = { quotas: scenario.pool.map(modelQuota) };
    this.#expectations = new LeaseExpectations(this.model, this.waiters, this.#pool);
    for (const name of ["a", "b"] as const) this.#register(name).own = scenario[name].map(modelQuota);
    this.limiter.on("leaseGranted", ({ lease }) => this.#answers.push({ lease, at: this.#read() }));
    this.limiter.on("refused", ({ refusal }) => this.#answers.push({ refusal, at: this.#read() }));
  }

  #config(name: string, shapes: readonly QuotaShape[]): ProviderConfig {
    return { name, quotas: quotasOf(shapes), pools: ["org"], cooldownSeconds: FIRST_COOLDOWN_MS / 1_000 };
  }

  #register(name: string): ModelProvider {
    const provider = new ModelProvider(name, FIRST_COOLDOWN_MS);
    provider.pools = [this.#pool];
    this.model.providers.set(name, provider);
    return provider;
  }

  #read(): number {
    this.#now = Math.max(this.#now, this.clock.now());
    return this.#now;
  }

  /** The time of the model is the time of the limiter, which never goes back. */
  #begin(): number {
    const now = this.#read();
    this.model.read(now);
    return now;
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.live(step);
    await this.#finish();
  }

  async live(step: Step): Promise<void> {
    await this.#step(step);
    await this.#compare();
  }

  async #step(step: Step): Promise<void> {
    const now = this.#begin();
    switch (step.do) {
      case "advance":
        return this.#advance(step.ms);
      case "back":
        this.clock.set(this.clock.now() - step.ms);
        break;
      case "tryAcquire":
        return this.#tryAcquire(step);
      case "acquire":
        return this.#acquire(step);
      case "abort": {
        const waiter = this.waiters[step.which % Math.max(1, this.waiters.length)];
        if (waiter === undefined) break;
        waiter.isGone = true;
        waiter.controller.abort(waiter);
        await flushPromises();
        if (waiter.error !== waiter)
          throw new Error(`an aborted waiter was not rejected with its reason: ${waiter.error}`);
        break;
      }
      case "headers":
      case "release":
      case "dispose":
      case "report":
      case "settle": {
        const one = this.leases[step.which % Math.max(1, this.leases.length)];
        if (one !== undefined) this.#end(this.#withoutSurprise(step, one.model), one.lease, one.model, now);
        break;
      }
      case "observe": {
        const provider = this.model.providers.get(step.name);
        if (provider === undefined) break;
        this.model.observe(provider, step.status, 1, step.tokens, step.retryAfterMs, now);
        const { status, retryAfterMs } = step;
        this.limiter.observe({
          provider: step.name,
          usage: { tokens: step.tokens },
          outcome: { status, retryAfterMs },
        });
        break;
      }
      case "upsert":
        this.#upsert(step.name, step.shapes, now);
        break;
      case "limits": {
        const provider = this.model.providers.get(step.name);
        if (provider === undefined) break;
        for (const quota of provider.own) quota.limit = step.limit;
        provider.paused = step.paused;
        const quotas = provider.own.map(({ dimension, windowMs }) => ({
          dimension,
          limit: step.limit,
          seconds: (windowMs ?? 0) / 1_000,
        }));
        this.limiter.updateProvider(step.name, { quotas: quotasOf(quotas), paused: step.paused });
        break;
      }
      case "pool":
        for (const quota of this.#pool.quotas) quota.limit = step.limit;
        this.limiter.upsertPool({
          name: "org",
          quotas: quotasOf(this.#scenario.pool.map((shape) => ({ ...shape, limit: step.limit }))),
        });
        break;
      case "remove":
        this.model.providers.delete(step.name);
        this.limiter.removeProvider(step.name);
        break;
      case "revive":
        if (!this.model.providers.has(step.name)) break;
        this.model.providers.get(step.name)!.revive();
        this.limiter.reviveProvider(step.name);
        break;
    }
    await this.#replay();
  }

  /** An amount that counted as 0 and is corrected has no entry of its own; lease-endings.test.ts covers that. */
  #withoutSurprise(step: Step, model: ModelLease): Step {
    const isSurprise = model.needs.tokens === 0 && !Number.isNaN(model.stampedAt);
    return isSurprise && (step.do === "report" || step.do === "settle") ? { ...step, tokens: 0 } : step;
  }

  #end(step: Step, lease: Lease, model: ModelLease, now: number): void {
    if (step.do === "headers") this.model.headers(model, now);
    if (step.do === "report") this.model.tell(model, step.tokens, now);
    if (step.do === "release") this.model.release(model, now);
    if (step.do === "dispose") this.model.settle(model, "cancelled", undefined, 0, now);
    if (step.do === "settle") this.model.settle(model, step.status, step.tokens, step.retryAfterMs, now);
    if (step.do === "headers") lease.headersReceived();
    if (step.do === "report") lease.report({ tokens: step.tokens });
    if (step.do === "release") lease.release();
    if (step.do === "dispose") lease[Symbol.dispose]();
    if (step.do !== "settle") return;
    const { status, tokens, retryAfterMs } = step;
    lease.settle({ status, retryAfterMs, usage: tokens === undefined ? undefined : { tokens } });
  }

  /** A changed quota starts empty with the reservations in flight: those that do not count yet, or all open ones. */
  #upsert(name: string, shapes: readonly QuotaShape[], now: number): void {
    const had = this.model.providers.get(name);
    const provider = had ?? this.#register(name);
    provider.dead = false;
    provider.paused = false;
    const left = [...provider.own];
    const held = had === undefined ? [] : this.model.heldBy(provider);
    this.limiter.upsertProvider(this.#config(name, shapes));
    const seen = this.limiter.forecast(name)!;
    provider.own = shapes.map((shape, i) => {
      const fresh = modelQuota(shape);
      const same = left.findIndex(
        (quota) =>
          quota.dimension === fresh.dimension && quota.windowMs === fresh.windowMs && quota.limit === fresh.limit,
      );
      if (same >= 0) return left.splice(same, 1)[0]!;
      const stamped: ModelLease[] = [];
      for (const lease of held) {
        if (fresh.windowMs === null) {
          if (lease.isOpen || lease.freeAt < Number.POSITIVE_INFINITY) lease.hold(fresh);
        } else if (Number.isNaN(lease.stampedAt)) lease.hold(fresh);
        else if (lease.isOpen && lease.stampedAt > now - fresh.windowMs) stamped.push(lease);
      }
      // Both readings of "reservations in flight" are accepted. The comparison comes later, because waiters might be
      // gone.
      const { used } = seen[i]!;
      const counted = stamped.reduce((sum, lease) => sum + lease.needs[fresh.dimension], 0);
      if (used !== 0 && used !== counted) {
        throw new Error(`upsert of ${name} counts ${used} ${fresh.dimension}, neither 0 nor ${counted}`);
      }
      if (used === counted) {
        stamped.sort((x, y) => x.stampedAt - y.stampedAt);
        for (const lease of stamped) fresh.count(lease.hold(fresh), lease.stampedAt);
      }
      return fresh;
    });
  }

  /** Stops at every deadline, to check that each one is kept. */
  async #advance(ms: number): Promise<void> {
    const end = this.clock.now() + ms;
    for (;;) {
      const deadlines = this.waiters.map(({ deadline }) => deadline).filter((at) => at > this.clock.now() && at <= end);
      const next = Math.min(end, ...deadlines);
      this.clock.set(next);
      await this.#replay();
      for (const waiter of this.waiters) {
        if (waiter.deadline <= next) throw new Error(`a waiter is forgotten: deadline ${waiter.deadline}, now ${next}`);
      }
      if (next >= end) return;
    }
  }

  async #tryAcquire(wish: RequestedAmounts): Promise<void> {
    const { requests, tokens, exclude } = wish;
    const answer = this.limiter.tryAcquire(wish.capability, { requests, tokens, exclude });
    await this.#replay(answer.granted ? { lease: answer, wish } : null);
    if (!answer.granted) this.#expectations.checkRefusal(answer, wish, this.#begin());
  }

  async #acquire({ maxWaitMs, priority, fairnessKey, ...wish }: Extract<Step, { do: "acquire" }>): Promise<void> {
    const now = this.#now;
    const controller = new AbortController();
    const { requests, tokens, exclude } = wish;
    const waiter: Waiter = {
      ...{
        wish,
        needs: needsOf(wish),
        priority,
        fairnessKey,
        order: this.#order++,
        deadline: now + maxWaitMs,
        controller,
      },
      ...{ lease: null, error: null, isGone: false },
    };
    const wasWaiting = this.waiters.length;
    this.limiter
      .acquire(wish.capability, {
        requests,
        tokens,
        exclude,
        maxWaitMs,
        priority,
        fairnessKey,
        signal: controller.signal,
      })
      .then(
        (lease) => {
          waiter.lease = lease;
        },
        (error: unknown) => {
          waiter.error = error;
        },
      );
    this.waiters.push(waiter);
    await flushPromises();
    if (waiter.error !== null && NoAvailableProviders.is(waiter.error)) {
      const { kind } = waiter.error;
      waiter.isGone = true;
      const refusal = waiter.error as unknown as Refusal;
      this.#expectations.checkRefusal(
        { ...refusal, reasons: waiter.error.reasons, retryAfterMs: waiter.error.retryAfterMs, granted: false },
        wish,
        this.#begin(),
        waiter,
      );
      if (kind === "queue_full") {
        if (wasWaiting < this.#scenario.maxWaiting) throw new Error(`queue_full with ${wasWaiting} waiting`);
      } else if (kind === "refused") {
        const latest = waiter.deadline - 1;
        const mayCome = this.#expectations.mayCome(waiter, latest, now);
        if (mayCome && this.#expectations.mayServeBehind(waiter, latest, now))
          throw new Error(`refused immediately, although capacity can come by ${waiter.deadline}`);
      } else if (maxWaitMs > 0) throw new Error(`rejected immediately with ${kind}`);
    } else if (waiter.lease === null && waiter.error === null) {
      if (maxWaitMs === 0) throw new Error("waits, though it must not");
      if (!this.#expectations.mayCome(waiter, waiter.deadline + 1, now, LENIENT))
        throw new Error(`waits until ${waiter.deadline} without a chance`);
    }
    await this.#replay();
  }

  /** Records the grants since the last call, each at its instant, and checks them. */
  async #replay(own: { lease: Lease; wish: RequestedAmounts } | null = null, isRetry = false): Promise<void> {
    await flushPromises();
    for (const { lease, refusal, at } of this.#answers.splice(0)) {
      if (lease === undefined) this.#bookRefusal(refusal!, at);
      else this.#bookGrant(lease, own, at);
      this.#lastActivity = at;
    }
    const now = this.#begin();
    for (const { error, isGone } of this.waiters) if (error !== null && !isGone) throw error;
    this.waiters.splice(0, this.waiters.length, ...this.waiters.filter(({ isGone }) => !isGone));
    let passed = this.#expectations.passedOver(now, null);
    // Waiting times are integer milliseconds, rounded up.
    if (passed !== null && !isRetry) {
      this.clock.set(this.clock.now() + 1);
      await this.#replay(null, true);
      passed = null;
    }
    if (passed !== null)
      throw new Error(`a waiter that could go waits at ${now}: ${JSON.stringify([passed.wish, passed.priority])}`);
    this.#lastActivity = now;
  }

  #bookGrant(lease: Lease, own: { lease: Lease; wish: RequestedAmounts } | null, at: number): void {
    const waiter = this.waiters.find((one) => one.lease === lease);
    const wish = lease === own?.lease ? own.wish : waiter?.wish;
    if (wish === undefined) throw new Error("a lease without a call");
    if (waiter !== undefined) this.#expectations.checkLateness(waiter, at, this.#lastActivity);
    this.model.read(at);
    this.#expectations.checkGrant(lease, wish, waiter ?? null, at);
    const provider = this.model.providers.get(lease.provider)!;
    const ofKey = this.model.quotasOf(waiter?.fairnessKey);
    const model = this.model.grant(provider, needsOf(wish), at, this.#scenario.leaseTimeoutMs, ofKey);
    this.leases.push({ lease, model });
    if (waiter !== undefined) this.waiters.splice(this.waiters.indexOf(waiter), 1);
  }

  /** The rejection of a waiter: at its deadline, or because it cannot be served in time any more. */
  #bookRefusal({ reasons }: Refusal, at: number): void {
    this.model.read(at);
    const waiter = this.waiters.find(({ error }) => NoAvailableProviders.is(error) && error.reasons === reasons);
    if (waiter === undefined || waiter.isGone) return;
    waiter.isGone = true;
    const { kind } = waiter.error as NoAvailableProviders;
    const description = () =>
      `${kind} at ${at}, deadline ${waiter.deadline}: ${JSON.stringify([waiter.wish, reasons])}`;
    if (kind === "refused" ? at >= waiter.deadline : kind !== "timed_out" || at < waiter.deadline)
      throw new Error(description());
    if (kind === "refused" && at < waiter.deadline && this.#expectations.mayCome(waiter, waiter.deadline - 1, at))
      throw new Error(`capacity is announced for: ${description()}`);
  }

  async #compare(): Promise<void> {
    // A read can detect that a waiter can never be served.
    this.limiter.inspect();
    await this.#replay();
    const now = this.#begin();
    this.#expectations.checkForecasts(this.limiter, now);
    const { waiting } = this.limiter.inspect();
    const sum = Object.values(waiting).reduce((all, count) => all + count, 0);
    if (sum !== this.waiters.length) throw new Error(`${sum} wait, not ${this.waiters.length}`);
    if (this.clock.most > 1 || this.clock.outstanding > (this.waiters.length > 0 ? 1 : 0)) {
      throw new Error(`${this.clock.outstanding} timers for ${this.waiters.length} waiters`);
    }
  }

  /** Ends all leases. Nothing must remain. */
  async #finish(): Promise<void> {
    await this.#advance(this.#read() - this.clock.now());
    for (let round = 0; round < 40; round++) {
      for (const [i, { lease, model }] of this.leases.entries()) {
        this.#end(i % 2 === 0 ? { do: "dispose", which: 0 } : { do: "headers", which: 0 }, lease, model, this.#begin());
        this.#end({ do: "release", which: 0 }, lease, model, this.#begin());
        await this.#replay();
      }
      await this.#advance(3_000);
      await this.#compare();
    }
    if (this.waiters.length > 0) throw new Error(`${this.waiters.length} waiters are forgotten`);
    for (const { lease, model } of this.leases) this.#end({ do: "dispose", which: 0 }, lease, model, this.#begin());
    await this.#advance(365 * 86_400_000);
    await this.#compare();
    const { providers, oldestLeaseMs, metrics } = this.limiter.inspect();
    for (const { name, inFlight, quotas } of providers) {
      const left = quotas.map((quota) => quota.inFlight + quota.used);
      if (inFlight !== 0 || left.some((count) => count !== 0))
        throw new Error(`${name} still counts ${inFlight}, ${left}`);
    }
    if (oldestLeaseMs !== null) throw new Error("an open lease is left");
    const { leasesGranted, leasesSettled, leasesReleased, leasesExpired } = metrics;
    if (leasesGranted !== this.leases.length || leasesGranted !== leasesSettled + leasesReleased + leasesExpired) {
      throw new Error(`${JSON.stringify(metrics)} for ${this.leases.length} leases`);
    }
    if (leasesExpired !== this.model.expired) throw new Error(`${leasesExpired} expired, not ${this.model.expired}`);
  }
}
