// Cooldowns, dead keys and trials that processes share.
//
//   fact          value                  revision                                    holds for
//   "cooldown P"  status that began it   that of the cooldown                        the cooldown; the later end wins
//   "cooldown P"  "over"                 one more: a trial succeeded                 a minute
//   "key P"       "dead"                 that of the latest revival                  a day
//   "key P"       "accepted"             one more: revived, or a recheck succeeded   two days, so that it wins
//
// Regimes: a process compares what it knows with its providers after each step, so that every cause of a change counts. While
// a provider is in a cooldown or dead, a trial of it needs the one place for all processes. Health itself is not shared.

import { STATUSES, type StatusClass } from "../api/status-class.ts";
import type { StoreFact } from "../api/store.ts";
import type { Provider, TrialGate } from "../provider/provider.ts";
import { REQUESTS } from "../quota/dimension-index.ts";
import type { Reservation } from "../quota/reservation.ts";
import { Allowance, type AllowanceState } from "./allowance.ts";
import type { FleetHost } from "./fleet-link.ts";

const OVER = "over";
const OVER_MS = 60_000;
const DEAD_MS = 86_400_000;
/** Ends of one cooldown that differ by less are the same, because messages take time. */
const SAME_MS = 100;

interface Known {
  value: string;
  revision: number;
  until: number;
  isSent: boolean;
}

/** The shared facts of one provider. */
export class SharedHealth implements TrialGate {
  readonly provider: Provider;
  /** The place for one trial at a time; null: the provider needs none. */
  trial: Allowance | null = null;
  readonly #host: FleetHost;
  readonly state: AllowanceState;
  readonly keys: readonly string[];
  readonly #cooldown: Known = { value: OVER, revision: 0, until: -Infinity, isSent: true };
  readonly #key: Known = { value: "accepted", revision: 0, until: -Infinity, isSent: true };
  #reservation: Reservation | null = null;

  constructor(provider: Provider, host: FleetHost, state: AllowanceState) {
    this.provider = provider;
    this.#host = host;
    this.state = state;
    this.keys = [`cooldown ${provider.name}`, `key ${provider.name}`];
  }

  get trialId(): string {
    return `trial ${this.provider.name}`;
  }

  get isOpen(): boolean {
    return this.trial === null || this.state.isDown || this.trial.spare > 0;
  }

  get isAwaited(): boolean {
    return !this.isOpen && Number.isNaN(this.trial!.fitsAt(1, false, this.#host.now));
  }

  /** True if the store has to be told something. */
  get hasNews(): boolean {
    return !(this.#cooldown.isSent && this.#key.isSent);
  }

  /** True if it has to be compared with the provider after each step. */
  get isActive(): boolean {
    return this.trial !== null;
  }

  /** Compares with the provider. Returns true if it needs the place for a trial now and did not before, or the reverse. */
  compare(now: number, processes: number): boolean {
    const { provider } = this;
    const { health } = provider;
    const cooldown = this.#cooldown;
    const isCooling = health.cooldownUntil > -Infinity;
    if (isCooling && health.cooldownUntil > Math.max(now, cooldown.until + SAME_MS)) {
      if (cooldown.value === OVER) cooldown.revision++;
      this.#set(cooldown, provider.cooldownStatus, health.cooldownUntil);
    } else if (!isCooling && cooldown.value !== OVER) {
      cooldown.revision++;
      this.#set(cooldown, OVER, now + OVER_MS);
      slowRamp(provider, processes);
    }
    if (health.isDead !== (this.#key.value === "dead")) {
      if (!health.isDead) this.#key.revision++;
      this.#set(this.#key, health.isDead ? "dead" : "accepted", now + (health.isDead ? DEAD_MS : 2 * DEAD_MS));
    }
    return this.#fitTrial(isCooling || health.isDead, now);
  }

  facts(now: number): StoreFact[] {
    return [this.#cooldown, this.#key].flatMap((known, index) => {
      const { value, revision, until } = known;
      // A cooldown that is over is no news.
      known.isSent ||= until <= now;
      return known.isSent ? [] : { key: this.keys[index]!, value, revision, forMs: Math.ceil(until - now) };
    });
  }

  /** Applies a fact of the store; false: it is known. */
  learn({ key, value, revision, forMs }: StoreFact, now: number, processes: number): boolean {
    const { provider } = this;
    const { health } = provider;
    const isKey = key === this.keys[1];
    const known = isKey ? this.#key : this.#cooldown;
    const until = now + forMs;
    if (revision < known.revision) return false;
    if (revision === known.revision && (value === known.value ? until <= known.until + SAME_MS : until <= known.until))
      return false;
    Object.assign(known, { value, revision, until, isSent: true });
    if (isKey) {
      if (value !== "dead") health.clearDead();
      else if (!health.isDead) health.die?.(now);
    } else if (value !== OVER) {
      provider.cooldownStatus = (STATUSES as readonly string[]).includes(value)
        ? (value as StatusClass)
        : "rate_limited";
      health.coolDown?.(until, provider.cooldownStatus, now);
      provider.cooldownStartEmitted();
    } else if (health.cooldownUntil > -Infinity) {
      health.recover?.();
      provider.trial = null;
      provider.endCooldown(this.#host.events);
      provider.ramp.succeeded(true, now);
      slowRamp(provider, processes);
    }
    provider.invalidate();
    return true;
  }

  /** The store has accepted these facts. */
  sent(facts: readonly StoreFact[]): void {
    for (const [index, known] of [this.#cooldown, this.#key].entries()) {
      const isKnown = ({ key, value, revision }: StoreFact) =>
        key === this.keys[index] && value === known.value && revision === known.revision;
      if (facts.some(isKnown)) known.isSent = true;
    }
  }

  #set(known: Known, value: string, until: number): void {
    Object.assign(known, { value, until, isSent: false });
    this.state.changed();
  }

  #fitTrial(isNeeded: boolean, now: number): boolean {
    const { provider, trial } = this;
    if (trial !== null && provider.trial !== null) this.#reservation ??= trial.quota.reserve(1, 0, now, now, Infinity);
    else if (this.#reservation !== null) {
      this.#reservation.release(now);
      this.#reservation.close(now);
      this.#reservation = null;
    }
    if (isNeeded === (trial !== null)) return false;
    provider.trialGate = isNeeded ? this : null;
    if (isNeeded) {
      const quota = this.#host.newPlace(now);
      this.trial = new Allowance(quota, this.trialId, Infinity, this.state);
      quota.share = this.trial;
    } else this.trial = null;
    return true;
  }
}

/** Lets this process ramp up at its share of the rate. */
function slowRamp(provider: Provider, processes: number): void {
  provider.ramp.setLimits(
    provider.quotas.map(({ spec: { limit, windowMs, index } }) => ({
      limit: limit / processes,
      windowMs,
      isOfRequests: index === REQUESTS,
    })),
  );
}
