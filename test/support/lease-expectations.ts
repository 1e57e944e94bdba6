// The answers that the model of leases allows: grants, refusals and forecasts. Each check throws at a difference.
import type { GrateLimiter, Lease, Refusal } from "../../src/index.ts";
import { type Demand, DIMENSIONS, type Model, type ModelProvider, type ModelQuota } from "./lease-model.ts";
import { LISTED, needsOf, type RequestedAmounts, type Waiter } from "./lease-scenario.ts";

export class LeaseExpectations {
  readonly #model: Model;
  readonly #waiters: readonly Waiter[];
  readonly #pool: { readonly quotas: ModelQuota[] };

  /** `waiters` is the list of the caller, which changes during the run. */
  constructor(model: Model, waiters: readonly Waiter[], pool: { readonly quotas: ModelQuota[] }) {
    this.#model = model;
    this.#waiters = waiters;
    this.#pool = pool;
  }

  #inOrder(): Waiter[] {
    return this.#waiters.filter(({ isGone }) => !isGone).sort((x, y) => y.priority - x.priority || x.order - y.order);
  }

  #candidates({ capability, exclude }: RequestedAmounts): string[] {
    return LISTED[capability].filter((name) => !exclude.includes(name));
  }

  /** The quotas, and the providers in a trial or ramp, that a waiter needs at any of its providers. */
  #claims(waiter: Waiter): (ModelQuota | ModelProvider)[] {
    return this.#candidates(waiter.wish).flatMap((name) => {
      const provider = this.#model.providers.get(name);
      if (provider === undefined) return [];
      return [provider, ...provider.quotas.filter(({ dimension }) => waiter.needs[dimension] > 0)];
    });
  }

  /** True if the first one is served before the second one whatever happens. */
  #isAhead(x: Waiter, y: Waiter): boolean {
    return x.priority > y.priority || (this.#mayBeAhead(x, y) && x.fairnessKey === y.fairnessKey);
  }

  /** True if the first one can be served before the second one. Keys of one priority take turns. */
  #mayBeAhead(x: Waiter, y: Waiter): boolean {
    if (x === y || x.priority !== y.priority) return x.priority > y.priority;
    return x.fairnessKey !== y.fairnessKey || x.order < y.order;
  }

  /** The first waiter that can be served and needs nothing that a waiter ahead can claim. `end`: only waiters ahead of it. */
  passedOver(now: number, end: Waiter | null): Waiter | null {
    const ahead = this.#inOrder().filter((waiter) => end === null || this.#isAhead(waiter, end));
    return ahead.find((waiter) => this.#isFree(waiter, now)) ?? null;
  }

  #quotasOfKey({ fairnessKey }: Waiter): readonly ModelQuota[] {
    return this.#model.quotasOf(fairnessKey);
  }

  #isKeyShort(waiter: Waiter, now: number): boolean {
    return this.#quotasOfKey(waiter).some((quota) => !quota.hasRoom(waiter.needs[quota.dimension], now));
  }

  /** True if the limits of its key hold the waiter back, or a waiter ahead of the same key. */
  #isHeldByKey(waiter: Waiter, now: number): boolean {
    const isBehind = (other: Waiter) =>
      other.fairnessKey === waiter.fairnessKey && this.#mayBeAhead(other, waiter) && this.#isKeyShort(other, now);
    return this.#isKeyShort(waiter, now) || (waiter.fairnessKey !== undefined && this.#inOrder().some(isBehind));
  }

  #isFree(waiter: Waiter, now: number): boolean {
    if (this.#isHeldByKey(waiter, now)) return false;
    const claimed = new Set<ModelQuota | ModelProvider>();
    // If a quota has capacity for all waiters ahead, their claims are exactly their demands.
    const reserved = new Map<ModelQuota, number>();
    const isShort = (quota: ModelQuota, need: number) =>
      claimed.has(quota) || !quota.hasRoom(need + (reserved.get(quota) ?? 0), now);
    for (const other of this.#inOrder()) {
      if (!this.#mayBeAhead(other, waiter) || this.#isHeldByKey(other, now)) continue;
      for (const what of this.#claims(other)) {
        const need = "dimension" in what ? other.needs[what.dimension] : 0;
        if (!("dimension" in what) || isShort(what, need)) claimed.add(what);
        else reserved.set(what, need + (reserved.get(what) ?? 0));
      }
    }
    return this.#candidates(waiter.wish).some((name) => {
      if (this.#model.obstacles(name, waiter.needs, now).length > 0) return false;
      const provider = this.#model.providers.get(name)!;
      if (provider.isGatedAt(now) && claimed.has(provider)) return false;
      return provider.quotas.every((quota) => {
        const need = waiter.needs[quota.dimension];
        return need === 0 || !isShort(quota, need);
      });
    });
  }

  /** A waiter is served within a millisecond of the first possible instant. */
  checkLateness(waiter: Waiter, at: number, lastActivity: number): void {
    const before = at - 1;
    if (before <= lastActivity) return;
    this.#model.read(before);
    if (this.#isFree(waiter, before)) throw new Error(`granted late, at ${at}`);
  }

  checkGrant(lease: Lease, wish: RequestedAmounts, waiter: Waiter | null, at: number): void {
    const needs = needsOf(wish);
    const describe = () => `${lease.provider} at ${at} for ${JSON.stringify(wish)}`;
    if (!this.#candidates(wish).includes(lease.provider)) throw new Error(`granted on ${describe()}, no candidate`);
    const obstacles = this.#model.obstacles(lease.provider, needs, at).filter((obstacle) => obstacle !== "ramp");
    if (obstacles.length > 0) throw new Error(`granted on ${describe()} against ${obstacles}`);
    const ofKey = waiter === null ? [] : this.#quotasOfKey(waiter);
    if (ofKey.some((quota) => !quota.hasRoom(needs[quota.dimension], at))) {
      throw new Error(`granted on ${describe()} against the limits of ${waiter?.fairnessKey}`);
    }
    if (waiter !== null && waiter.deadline < at) throw new Error("granted after the deadline");
    const passed = this.passedOver(at, waiter);
    if (passed !== null && passed !== waiter) throw new Error(`${describe()} overtook ${JSON.stringify(passed.wish)}`);
    // No other request takes the capacity that a waiter ahead waits for.
    const taken = this.#model.providers.get(lease.provider)!.quotas.filter(({ dimension }) => needs[dimension] > 0);
    const waiting = this.#inOrder();
    for (const ahead of waiting) {
      if (waiter !== null && !this.#isAhead(ahead, waiter)) continue;
      if (waiter !== null && ahead.fairnessKey === waiter.fairnessKey && this.#isKeyShort(ahead, at)) {
        const short = this.#quotasOfKey(ahead).filter((quota) => !quota.hasRoom(ahead.needs[quota.dimension], at));
        if (short.some((quota) => needs[quota.dimension] > 0))
          throw new Error(`${describe()} took what ${JSON.stringify(ahead.wish)} of its key waits for`);
      }
      if (this.#isHeldByKey(ahead, at)) continue;
      const isFirst = !waiting.some((other) => this.#mayBeAhead(other, ahead));
      for (const name of this.#candidates(ahead.wish)) {
        const against = this.#model.obstacles(name, ahead.needs, at);
        if (against.some((obstacle) => obstacle !== "quota" && obstacle !== "concurrency")) continue;
        const lacks = this.#model.providers
          .get(name)!
          // The claims of the first waiter also include quotas with capacity that would otherwise lose it.
          .quotas.filter((quota) => {
            const also = isFirst && taken.includes(quota) ? needs[quota.dimension] : 0;
            const need = ahead.needs[quota.dimension];
            return need > 0 && !quota.hasRoom(need + also, at);
          });
        if (lacks.some((quota) => taken.includes(quota)))
          throw new Error(`${describe()} took what ${JSON.stringify(ahead.wish)} waits for`);
      }
    }
  }

  checkRefusal(
    { reasons, retryAfterMs }: Refusal,
    wish: RequestedAmounts,
    now: number,
    waiter: Waiter | null = null,
  ): void {
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
    const ofKey = waiter === null ? [] : this.#quotasOfKey(waiter);
    const isKeyAhead = this.#inOrder().some(
      (other) => other !== waiter && other.fairnessKey === waiter?.fairnessKey && this.#isKeyShort(other, now),
    );
    for (const reason of reasons) {
      const { provider: name } = reason;
      const obstacles = this.#model.obstacles(name, needs, now, ofKey);
      if (waiter?.fairnessKey !== undefined && isKeyAhead) obstacles.push("waiters_ahead");
      if (wish.exclude.includes(name)) obstacles.push("excluded");
      const provider = this.#model.providers.get(name);
      if (provider?.quotas.some((quota) => needs[quota.dimension] > 0 && ahead.has(quota)))
        obstacles.push("waiters_ahead");
      if (provider !== undefined && ahead.has(provider) && provider.isGatedAt(now)) obstacles.push("waiters_ahead");
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
    const { provider, dimension, window, pool, fairnessKey, limit, remaining, needed } = reason;
    const windowMs = window === null ? null : (window as { seconds: number }).seconds * 1_000;
    const own =
      fairnessKey === undefined ? this.#model.providers.get(provider)!.own : this.#model.quotasOf(fairnessKey);
    const quota = (pool === null ? own : this.#pool.quotas).find(
      (one) => one.dimension === dimension && one.windowMs === windowMs,
    );
    if (quota === undefined) throw new Error(`no such quota: ${JSON.stringify(reason)}`);
    const left = Math.max(0, quota.limit - quota.used(now) - quota.inFlight());
    const need = needs[quota.dimension];
    if (limit !== quota.limit || remaining !== left || needed !== need || need <= left) {
      throw new Error(`${JSON.stringify(reason)}: limit ${quota.limit}, left ${left}, needed ${need}`);
    }
  }

  /** True if time alone, or the best endings of requests in flight, can free capacity by `deadline`. */
  mayCome(waiter: Waiter, deadline: number, now: number, isLenient = false): boolean {
    const { wish, needs } = waiter;
    if (deadline <= now) return false;
    const ofKey = this.#quotasOfKey(waiter);
    if (ofKey.some((quota) => needs[quota.dimension] > quota.limit)) return false;
    return this.#candidates(wish).some((name) => {
      const provider = this.#model.providers.get(name);
      if (provider === undefined || provider.dead) return false;
      if (provider.paused) return true;
      if (provider.cooldownUntil > deadline) return false;
      if (provider.quotas.some((quota) => needs[quota.dimension] > quota.limit)) return false;
      if (this.#model.mayRamp(provider, deadline)) return isLenient;
      return [...provider.quotas, ...ofKey].every((quota) => {
        const need = needs[quota.dimension];
        if (need === 0) return true;
        return this.#staying(quota, deadline) + need <= quota.limit;
      });
    });
  }

  /** True if a call can be served by `deadline` behind the waiters that it cannot overtake, if everything goes well. */
  mayServeBehind(waiter: Waiter, deadline: number, now: number): boolean {
    const providers = this.#candidates(waiter.wish).flatMap((name) => this.#model.providers.get(name) ?? []);
    const fits = ({ needs }: Waiter) =>
      providers.every(({ quotas }) => quotas.every((quota) => needs[quota.dimension] <= quota.limit));
    const isLike = ({ wish, needs }: Waiter) =>
      wish.capability === waiter.wish.capability &&
      wish.exclude.join() === waiter.wish.exclude.join() &&
      DIMENSIONS.every((dimension) => Math.sign(needs[dimension]) === Math.sign(waiter.needs[dimension]));
    const ahead = this.#inOrder().filter((other) => this.#isAhead(other, waiter) && isLike(other) && fits(other));
    return DIMENSIONS.every((dimension) => {
      const load = [...ahead, waiter].reduce((sum, { needs }) => sum + needs[dimension], 0);
      if (waiter.needs[dimension] === 0) return true;
      const supply = (quota: ModelQuota) => {
        const windows = Math.floor((deadline - now) / quota.windowMs!);
        const at = deadline - windows * quota.windowMs!;
        return windows * quota.limit + Math.max(0, quota.limit - this.#staying(quota, at));
      };
      const loadOfKey = [...ahead, waiter].reduce(
        (sum, { needs, fairnessKey }) => sum + (fairnessKey === waiter.fairnessKey ? needs[dimension] : 0),
        0,
      );
      const isRolling = (quota: ModelQuota) => quota.dimension === dimension && quota.windowMs !== null;
      if (this.#quotasOfKey(waiter).some((quota) => isRolling(quota) && loadOfKey > supply(quota))) return false;
      const supplies = new Map<ModelQuota, number>();
      for (const { quotas } of providers) {
        const limiting = quotas.filter(isRolling);
        if (limiting.length === 0) return true;
        const [scarcest] = limiting.sort((x, y) => supply(x) - supply(y));
        supplies.set(scarcest!, supply(scarcest!));
      }
      return load <= [...supplies.values()].reduce((sum, supply) => sum + supply, 0);
    });
  }

  /** The amount that still counts at an instant, after the best endings of requests in flight. */
  #staying(quota: ModelQuota, at: number): number {
    let sum = 0;
    for (const part of quota.parts) {
      const lease = this.#model.leases.find((one) => one.parts.get(quota) === part);
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
      if (freeAt > at) sum += left;
    }
    return sum;
  }

  /** Compares the forecasts of the limiter with the exact lists of the model. */
  checkForecasts(limiter: GrateLimiter, now: number): void {
    for (const [name, provider] of this.#model.providers) {
      const seen = limiter.forecast(name)!;
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
  }
}
