// Runs one random script with a limiter and with the model of its rules, and throws at the first difference.

import {
  GrateLimiter,
  type Lease,
  NoAvailableProviders,
  type ProviderConfig,
  type QuotaConfig,
  type Refusal,
  type StatusClass,
} from "../../src/index.ts";
import { CountingClock } from "./counting-clock.ts";
import { type Demand, Model, type ModelDimension, type ModelLease, ModelProvider, ModelQuota } from "./lease-model.ts";
import { flushPromises } from "./limiter-fixture.ts";

export interface QuotaShape {
  readonly dimension: ModelDimension;
  readonly limit: number;
  readonly seconds: number;
}

export interface RequestedAmounts {
  readonly capability: "chat" | "mail" | "solo";
  readonly requests: number;
  readonly tokens: number;
  readonly exclude: readonly string[];
}

export type Step =
  | { readonly do: "advance" | "back"; readonly ms: number }
  | ({ readonly do: "tryAcquire" } & RequestedAmounts)
  | ({ readonly do: "acquire"; readonly maxWaitMs: number; readonly priority: number } & RequestedAmounts)
  | { readonly do: "headers" | "release" | "dispose" | "abort"; readonly which: number }
  | { readonly do: "report"; readonly which: number; readonly tokens: number }
  | {
      readonly do: "settle";
      readonly which: number;
      readonly status: StatusClass;
      readonly tokens: number | undefined;
      readonly retryAfterMs: number;
    }
  | {
      readonly do: "observe";
      readonly name: string;
      readonly status: StatusClass;
      readonly tokens: number;
      readonly retryAfterMs: number;
    }
  | { readonly do: "upsert"; readonly name: string; readonly shapes: readonly QuotaShape[] }
  | { readonly do: "limits"; readonly name: string; readonly limit: number; readonly paused: boolean }
  | { readonly do: "pool"; readonly limit: number }
  | { readonly do: "remove" | "revive"; readonly name: string };

export interface Scenario {
  readonly skewCapMs: number;
  readonly leaseTimeoutMs: number;
  readonly maxWaiting: number;
  readonly pool: readonly QuotaShape[];
  readonly a: readonly QuotaShape[];
  readonly b: readonly QuotaShape[];
}

const LISTED = { chat: ["a", "b"], mail: ["b"], solo: ["a"] } as const;
const FIRST_COOLDOWN_MS = 2_000;
// D7: the model assumes that any combination of endings is possible.
const LENIENT = true;

interface Waiter {
  readonly wish: RequestedAmounts;
  readonly needs: Demand;
  readonly priority: number;
  readonly order: number;
  readonly deadline: number;
  readonly controller: AbortController;
  lease: Lease | null;
  error: unknown;
  isGone: boolean;
}

const needsOf = ({ requests, tokens }: RequestedAmounts): Demand => ({ requests, tokens, concurrency: 1 });
const quotasOf = (shapes: readonly QuotaShape[]): QuotaConfig[] =>
  shapes.map(({ dimension, limit, seconds }) =>
    dimension === "concurrency" ? { dimension, limit } : { dimension, limit, window: { seconds } },
  );
const modelQuota = ({ dimension, limit, seconds }: QuotaShape) =>
  new ModelQuota(dimension, dimension === "concurrency" ? null : seconds * 1_000, limit);

export class LeaseModelRun {
  readonly clock = new CountingClock();
  readonly limiter: GrateLimiter;
  readonly model: Model;
  readonly leases: { lease: Lease; model: ModelLease }[] = [];
  readonly waiters: Waiter[] = [];
  readonly #scenario: Scenario;
  readonly #pool: { quotas: ModelQuota[] };
  readonly #answers: { readonly at: number; readonly lease?: Lease; readonly refusal?: Refusal }[] = [];
  #now = 0;
  #lastActivity = 0;
  #order = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.model = new Model(scenario.skewCapMs);
    this.limiter = new GrateLimiter({
      clock: this.clock,
      ...{ skewCapMs: scenario.skewCapMs, leaseTimeoutMs: scenario.leaseTimeoutMs, maxWaiting: scenario.maxWaiting },
      minimumHealthScore: 0,
      health: { cooldownTriggerCount: 1_000_000 },
      pools: { org: { quotas: quotasOf(scenario.pool) } },
      providers: [this.#config("a", scenario.a), this.#config("b", scenario.b)],
      capabilities: { chat: ["a", "b"], mail: ["b"], solo: ["a"] },
    });
    this.#pool = { quotas: scenario.pool.map(modelQuota) };
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
    if (!answer.granted) this.#checkRefusal(answer, wish);
  }

  async #acquire({
    maxWaitMs,
    priority,
    ...wish
  }: RequestedAmounts & { maxWaitMs: number; priority: number }): Promise<void> {
    const now = this.#now;
    const controller = new AbortController();
    const { requests, tokens, exclude } = wish;
    const waiter: Waiter = {
      ...{ wish, needs: needsOf(wish), priority, order: this.#order++, deadline: now + maxWaitMs, controller },
      ...{ lease: null, error: null, isGone: false },
    };
    const wasWaiting = this.waiters.length;
    this.limiter
      .acquire(wish.capability, { requests, tokens, exclude, maxWaitMs, priority, signal: controller.signal })
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
      this.#checkRefusal(
        { ...refusal, reasons: waiter.error.reasons, retryAfterMs: waiter.error.retryAfterMs, granted: false },
        wish,
        waiter,
      );
      if (kind === "queue_full") {
        if (wasWaiting < this.#scenario.maxWaiting) throw new Error(`queue_full with ${wasWaiting} waiting`);
      } else if (kind === "refused") {
        if (this.#mayCome(wish, waiter.deadline - 1, now))
          throw new Error(`refused immediately, although capacity can come by ${waiter.deadline}`);
      } else if (maxWaitMs > 0) throw new Error(`rejected immediately with ${kind}`);
    } else if (waiter.lease === null && waiter.error === null) {
      if (maxWaitMs === 0) throw new Error("waits, though it must not");
      if (!this.#mayCome(wish, waiter.deadline + 1, now, LENIENT))
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
    let passed = this.#passedOver(now, null);
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
    if (waiter !== undefined) this.#checkLateness(waiter, at);
    this.model.read(at);
    this.#checkGrant(lease, wish, waiter ?? null, at);
    const provider = this.model.providers.get(lease.provider)!;
    const model = this.model.grant(provider, needsOf(wish), at, this.#scenario.leaseTimeoutMs);
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
    if (kind === "refused" && at < waiter.deadline && this.#mayCome(waiter.wish, waiter.deadline - 1, at))
      throw new Error(`capacity is announced for: ${description()}`);
  }

  #inOrder(): Waiter[] {
    return this.waiters.filter(({ isGone }) => !isGone).sort((x, y) => y.priority - x.priority || x.order - y.order);
  }

  #candidates({ capability, exclude }: RequestedAmounts): string[] {
    return LISTED[capability].filter((name) => !exclude.includes(name));
  }

  /** The quotas, and the providers in a trial or ramp, that a waiter needs at any of its providers. */
  #claims(waiter: Waiter): (ModelQuota | ModelProvider)[] {
    return this.#candidates(waiter.wish).flatMap((name) => {
      const provider = this.model.providers.get(name);
      if (provider === undefined) return [];
      return [provider, ...provider.quotas.filter(({ dimension }) => waiter.needs[dimension] > 0)];
    });
  }

  /** The first waiter (before `end`) that can be served and needs nothing that a waiter ahead can claim. */
  #passedOver(now: number, end: Waiter | null): Waiter | null {
    const claimed = new Set<ModelQuota | ModelProvider>();
    // If a quota has capacity for all waiters ahead, their claims are exactly their demands.
    const reserved = new Map<ModelQuota, number>();
    const isShort = (quota: ModelQuota, need: number) =>
      claimed.has(quota) || !quota.hasRoom(need + (reserved.get(quota) ?? 0), now);
    for (const waiter of this.#inOrder()) {
      if (waiter === end) return null;
      for (const name of this.#candidates(waiter.wish)) {
        if (this.model.obstacles(name, waiter.needs, now).length > 0) continue;
        const provider = this.model.providers.get(name)!;
        const isGated = (provider.trialDue || provider.isRampedAt(now)) && claimed.has(provider);
        const isBehind = provider.quotas.some((quota) => {
          const need = waiter.needs[quota.dimension];
          return need > 0 && isShort(quota, need);
        });
        if (!isGated && !isBehind) return waiter;
      }
      for (const what of this.#claims(waiter)) {
        const need = "dimension" in what ? waiter.needs[what.dimension] : 0;
        if (!("dimension" in what) || isShort(what, need)) claimed.add(what);
        else reserved.set(what, need + (reserved.get(what) ?? 0));
      }
    }
    return null;
  }

  /** A waiter is served within a millisecond of the first possible instant. */
  #checkLateness(waiter: Waiter, at: number): void {
    const before = at - 1;
    if (before <= this.#lastActivity) return;
    this.model.read(before);
    const passed = this.#passedOver(before, null);
    if (passed === waiter) throw new Error(`granted late, at ${at}`);
  }

  #checkGrant(lease: Lease, wish: RequestedAmounts, waiter: Waiter | null, at: number): void {
    const needs = needsOf(wish);
    const describe = () => `${lease.provider} at ${at} for ${JSON.stringify(wish)}`;
    if (!this.#candidates(wish).includes(lease.provider)) throw new Error(`granted on ${describe()}, no candidate`);
    const obstacles = this.model.obstacles(lease.provider, needs, at).filter((obstacle) => obstacle !== "ramp");
    if (obstacles.length > 0) throw new Error(`granted on ${describe()} against ${obstacles}`);
    if (waiter !== null && waiter.deadline < at) throw new Error("granted after the deadline");
    const passed = this.#passedOver(at, waiter);
    if (passed !== null && passed !== waiter) throw new Error(`${describe()} overtook ${JSON.stringify(passed.wish)}`);
    // No other request takes the capacity that a waiter ahead waits for.
    const taken = this.model.providers.get(lease.provider)!.quotas.filter(({ dimension }) => needs[dimension] > 0);
    for (const ahead of this.#inOrder()) {
      if (ahead === waiter) break;
      for (const name of this.#candidates(ahead.wish)) {
        const against = this.model.obstacles(name, ahead.needs, at);
        if (against.some((obstacle) => obstacle !== "quota" && obstacle !== "concurrency")) continue;
        const lacks = this.model.providers
          .get(name)!
          // The claims of the first waiter also include quotas with capacity that would otherwise lose it.
          .quotas.filter((quota) => {
            const also = ahead === this.#inOrder()[0] && taken.includes(quota) ? needs[quota.dimension] : 0;
            const need = ahead.needs[quota.dimension];
            return need > 0 && !quota.hasRoom(need + also, at);
          });
        if (lacks.some((quota) => taken.includes(quota)))
          throw new Error(`${describe()} took what ${JSON.stringify(ahead.wish)} waits for`);
      }
    }
  }

  #checkRefusal({ reasons, retryAfterMs }: Refusal, wish: RequestedAmounts, waiter: Waiter | null = null): void {
    const now = this.#begin();
    const needs = needsOf(wish);
    const names = reasons.map(({ provider }) => provider);
    const expected: readonly string[] = LISTED[wish.capability];
    if (names.join() !== expected.join()) throw new Error(`reasons of ${names}, listed are ${expected}`);
    const times = reasons.flatMap((reason) => reason.retryAfterMs ?? []);
    if (retryAfterMs !== (times.length === 0 ? null : Math.min(...times)))
      throw new Error(`retryAfterMs ${retryAfterMs} of ${times}`);
    if (times.some((ms) => !Number.isInteger(ms) || ms < 1)) throw new Error(`retryAfterMs ${times}`);
    const ahead = new Set(
      this.#inOrder()
        .filter((other) => other !== waiter && (waiter === null || other.priority >= waiter.priority))
        .flatMap((other) => this.#claims(other)),
    );
    for (const reason of reasons) {
      const { provider: name } = reason;
      const obstacles = this.model.obstacles(name, needs, now);
      if (wish.exclude.includes(name)) obstacles.push("excluded");
      const provider = this.model.providers.get(name);
      if (provider?.quotas.some((quota) => needs[quota.dimension] > 0 && ahead.has(quota)))
        obstacles.push("waiters_ahead");
      if (provider !== undefined && ahead.has(provider) && (provider.trialDue || provider.isRampedAt(now)))
        obstacles.push("waiters_ahead");
      const reported = reason.reason === "ramping" ? ["trial", "ramp"] : [reason.reason];
      if (!reported.some((one) => obstacles.includes(one))) {
        throw new Error(
          `${name} refused for ${reason.reason} at ${now}, true are [${obstacles}]: ${JSON.stringify(wish)}`,
        );
      }
      if ("dimension" in reason) this.#checkQuotaReason(reason, needs, now);
    }
  }

  #checkQuotaReason(
    reason: Extract<Refusal["reasons"][number], { dimension: unknown }>,
    needs: Demand,
    now: number,
  ): void {
    const { provider, dimension, window, pool, limit, remaining, needed } = reason;
    const windowMs = window === null ? null : (window as { seconds: number }).seconds * 1_000;
    const from = pool === null ? this.model.providers.get(provider)!.own : this.#pool.quotas;
    const quota = from.find((one) => one.dimension === dimension && one.windowMs === windowMs);
    if (quota === undefined) throw new Error(`no such quota: ${JSON.stringify(reason)}`);
    const left = Math.max(0, quota.limit - quota.used(now) - quota.inFlight());
    const need = needs[quota.dimension];
    if (limit !== quota.limit || remaining !== left || needed !== need || need <= left) {
      throw new Error(`${JSON.stringify(reason)}: limit ${quota.limit}, left ${left}, needed ${need}`);
    }
  }

  /** True if time alone, or the best endings of requests in flight, can free capacity by `deadline`. */
  #mayCome(wish: RequestedAmounts, deadline: number, now: number, isLenient = false): boolean {
    if (deadline <= now) return false;
    const needs = needsOf(wish);
    return this.#candidates(wish).some((name) => {
      const provider = this.model.providers.get(name);
      if (provider === undefined || provider.dead || provider.paused || provider.cooldownUntil > deadline) return false;
      if (provider.quotas.some((quota) => needs[quota.dimension] > quota.limit)) return false;
      if (this.model.mayRamp(provider, deadline)) return isLenient;
      return provider.quotas.every((quota) => {
        const need = needs[quota.dimension];
        if (need === 0) return true;
        let stays = 0;
        for (const part of quota.parts) {
          const lease = this.model.leases.find((one) => one.parts.get(quota) === part);
          const isOpen = lease?.isOpen === true;
          // An answered request has used at least one request.
          const isAnswered = quota.dimension === "requests" && isOpen && !Number.isNaN(lease.stampedAt);
          const left = isAnswered ? Math.min(1, part.amount) : isOpen ? 0 : part.amount;
          const freeAt =
            quota.windowMs === null
              ? lease!.freeAt
              : Number.isNaN(part.stamp)
                ? lease!.stampDueAt + quota.windowMs
                : (part.entry?.last ?? part.stamp) + quota.windowMs;
          if (freeAt > deadline) stays += left;
        }
        return stays + need <= quota.limit;
      });
    });
  }

  async #compare(): Promise<void> {
    // A read can detect that a waiter can never be served.
    this.limiter.inspect();
    await this.#replay();
    const now = this.#begin();
    for (const [name, provider] of this.model.providers) {
      const seen = this.limiter.forecast(name)!;
      const quotas = provider.quotas;
      if (seen.length !== quotas.length) throw new Error(`${name} has ${seen.length} quotas, not ${quotas.length}`);
      for (const [i, quota] of quotas.entries()) {
        const { used, inFlight, remaining, limit, dimension } = seen[i]!;
        const mine = { used: quota.used(now), inFlight: quota.inFlight() };
        const left = Math.max(0, quota.limit - mine.used - mine.inFlight);
        if (dimension !== quota.dimension || limit !== quota.limit) throw new Error(`${name}: another quota`);
        if (quota.windowMs !== null) {
          const [least, most] = quota.bounds(now);
          if (used < least || used > most)
            throw new Error(`${name} counts ${used} ${dimension} at ${now}, not ${least} to ${most}`);
        }
        if (used !== mine.used || inFlight !== mine.inFlight || remaining !== left) {
          const reported = JSON.stringify([used, inFlight, remaining]);
          throw new Error(
            `${name} reports ${reported} of ${dimension} at ${now}, not ${JSON.stringify([mine.used, mine.inFlight, left])}`,
          );
        }
      }
    }
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
