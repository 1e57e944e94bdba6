// A limiter with a mock clock and the calls that most tests of admission make.
import { expect } from "vitest";
import {
  type Dimension,
  GrateLimiter,
  type GrateLimiterOptions,
  type Lease,
  type LimiterEvents,
  NoAvailableProviders,
  type QuotaForecast,
  type Refusal,
  type SelectOptions,
  type WindowSpec,
} from "../../src/index.ts";
import { CountingClock } from "./counting-clock.ts";

export type AcquireOptions = NonNullable<Parameters<GrateLimiter["acquire"]>[1]>;

/** The state of an `acquire` call. It changes when the call is granted or rejected. */
export interface AcquireState {
  state: "waiting" | "granted" | "rejected";
  lease: Lease | null;
  error: unknown;
  /** Clock time of the decision, after all promises have run. */
  atMs: number | null;
}

/** Lets promises run without real time, long enough for every chain of promises of a limiter. */
export async function flushPromises(): Promise<void> {
  for (let i = 0; i < 12; i++) await Promise.resolve();
}

export function granted(answer: Lease | Refusal): Lease {
  if (!answer.granted) expect.unreachable(`refused: ${JSON.stringify(answer)}`);
  return answer as Lease;
}

export function refused(answer: Lease | Refusal): Refusal {
  if (answer.granted) expect.unreachable(`granted on ${answer.provider}`);
  return answer as Refusal;
}

export class LimiterFixture {
  readonly clock: CountingClock;
  readonly limiter: GrateLimiter;

  constructor(options: Omit<GrateLimiterOptions, "clock">, startMs = 0) {
    this.clock = new CountingClock({ startMs });
    this.limiter = new GrateLimiter({ ...options, clock: this.clock });
  }

  /** Returns a lease. Fails the test if the call is refused. */
  grant(options?: SelectOptions, capability = "chat"): Lease {
    return granted(this.limiter.tryAcquire(capability, options));
  }

  /** Returns a refusal. Fails the test if the call is granted. */
  refusal(options?: SelectOptions, capability = "chat"): Refusal {
    return refused(this.limiter.tryAcquire(capability, options));
  }

  /** True if a lease is granted. Releases it immediately. */
  hasCapacity(options?: SelectOptions, capability = "chat"): boolean {
    const answer = this.limiter.tryAcquire(capability, options);
    if (answer.granted) answer.release();
    return answer.granted;
  }

  /** Starts an `acquire` and returns its state. */
  acquire(options?: AcquireOptions, capability = "chat"): AcquireState {
    const asked: AcquireState = { state: "waiting", lease: null, error: null, atMs: null };
    this.limiter.acquire(capability, options).then(
      (lease) => Object.assign(asked, { state: "granted", lease, atMs: this.clock.now() }),
      (error: unknown) => Object.assign(asked, { state: "rejected", error, atMs: this.clock.now() }),
    );
    return asked;
  }

  quota(dimension: Dimension, provider = "a", window?: WindowSpec): QuotaForecast {
    const found = this.limiter
      .forecast(provider)!
      .find((one) => one.dimension === dimension && (window === undefined || one.window === window));
    if (found === undefined) expect.unreachable(`${provider} has no quota of ${dimension}`);
    return found as QuotaForecast;
  }

  /** Returns the usage of a quota: counted in its window and in flight. */
  counted(dimension: Dimension, provider = "a", window?: WindowSpec): number {
    const { used, inFlight, remaining, ceiling } = this.quota(dimension, provider, window);
    expect(remaining).toBe(Math.max(0, ceiling - used - inFlight));
    return used + inFlight;
  }

  /** Advances the clock to an instant, fires its timers, and lets promises run. */
  async advanceTo(ms: number): Promise<void> {
    this.clock.set(ms);
    await flushPromises();
  }

  async advance(ms: number): Promise<void> {
    await this.advanceTo(this.clock.now() + ms);
  }

  /** Returns the whole visible state as text, except for the counters of refusals. */
  state(): string {
    const { metrics, ...inspection } = this.limiter.inspect();
    const { refusals: _, noProviderAvailable: __, selects: ___, ...counters } = metrics;
    return JSON.stringify({ inspection, counters });
  }

  /** Returns a list that receives every later event, in order. */
  recordEvents(): { event: keyof LimiterEvents; data: never }[] {
    const recorded: { event: keyof LimiterEvents; data: never }[] = [];
    for (const event of ["leaseGranted", "leaseSettled", "leaseExpired", "refused", "limitReached"] as const) {
      this.limiter.on(event, (data: unknown) => recorded.push({ event, data: data as never }));
    }
    for (const event of ["cooldownStarted", "cooldownEnded", "providerDead", "providerRevived"] as const) {
      this.limiter.on(event, (data: unknown) => recorded.push({ event, data: data as never }));
    }
    for (const event of ["unrecognizedOutcome", "repeatedlyUnsuitable"] as const) {
      this.limiter.on(event, (data: unknown) => recorded.push({ event, data: data as never }));
    }
    return recorded;
  }
}

/** Creates a limiter with the provider "a" in the capability "chat". */
export function chatFixture(
  provider: Partial<NonNullable<GrateLimiterOptions["providers"]>[number]> = {},
  options: Omit<GrateLimiterOptions, "clock" | "providers" | "capabilities"> = {},
): LimiterFixture {
  return new LimiterFixture({ ...options, providers: [{ name: "a", ...provider }], capabilities: { chat: ["a"] } });
}

/** Returns the error of a rejected `acquire`. */
export function rejection(asked: AcquireState): NoAvailableProviders {
  expect(asked.state).toBe("rejected");
  if (!NoAvailableProviders.is(asked.error)) expect.unreachable(`rejected with ${String(asked.error)}`);
  return asked.error as NoAvailableProviders;
}

/** Creates a limiter with one provider, and leases for all its concurrency places. */
export function occupiedFixture(concurrency = 1): { fixture: LimiterFixture; leases: Lease[] } {
  const fixture = chatFixture({ limits: { concurrency } });
  return { fixture, leases: Array.from({ length: concurrency }, () => fixture.grant()) };
}

export const statesOf = (asked: readonly AcquireState[]) => asked.map(({ state }) => state);

export const LONG_WAIT = { maxWaitMs: 1e7 };
