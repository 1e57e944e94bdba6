// A limiter at a mock clock, and the few words in which the tests of admission ask it.
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

/** What became of an `acquire`, as it becomes known. */
export interface Asked {
  state: "waiting" | "granted" | "rejected";
  lease: Lease | null;
  error: unknown;
  /** Clock time of the decision, after all promises have run. */
  atMs: number | null;
}

/** Lets promises run, with no real time: enough turns for every chain that a limiter can build. */
export async function turns(): Promise<void> {
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

export class Desk {
  readonly clock: CountingClock;
  readonly limiter: GrateLimiter;

  constructor(options: Omit<GrateLimiterOptions, "clock">, startMs = 0) {
    this.clock = new CountingClock({ startMs });
    this.limiter = new GrateLimiter({ ...options, clock: this.clock });
  }

  /** A lease, or the test fails. */
  take(options?: SelectOptions, capability = "chat"): Lease {
    return granted(this.limiter.tryAcquire(capability, options));
  }

  /** A refusal, or the test fails. */
  refusal(options?: SelectOptions, capability = "chat"): Refusal {
    return refused(this.limiter.tryAcquire(capability, options));
  }

  /** Whether there is room: asks, and gives it back. */
  hasRoom(options?: SelectOptions, capability = "chat"): boolean {
    const answer = this.limiter.tryAcquire(capability, options);
    if (answer.granted) answer.release();
    return answer.granted;
  }

  /** Starts an `acquire` and watches it. */
  ask(options?: AcquireOptions, capability = "chat"): Asked {
    const asked: Asked = { state: "waiting", lease: null, error: null, atMs: null };
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

  /** All that a quota counts: in its window and in flight. */
  counted(dimension: Dimension, provider = "a", window?: WindowSpec): number {
    const { used, inFlight, remaining, ceiling } = this.quota(dimension, provider, window);
    expect(remaining).toBe(Math.max(0, ceiling - used - inFlight));
    return used + inFlight;
  }

  /** Moves to an instant, waking on the way, and lets promises run. */
  async at(ms: number): Promise<void> {
    this.clock.set(ms);
    await turns();
  }

  async later(ms: number): Promise<void> {
    await this.at(this.clock.now() + ms);
  }

  /** Everything that can be asked about, but for the counters of refusals. */
  state(): string {
    const { metrics, ...inspection } = this.limiter.inspect();
    const { refusals: _, noProviderAvailable: __, selects: ___, ...counters } = metrics;
    return JSON.stringify({ inspection, counters });
  }

  /** Every event from now on, in order. */
  listen(): { event: keyof LimiterEvents; told: never }[] {
    const heard: { event: keyof LimiterEvents; told: never }[] = [];
    for (const event of ["leaseGranted", "leaseSettled", "leaseExpired", "refused", "limitReached"] as const) {
      this.limiter.on(event, (told: unknown) => heard.push({ event, told: told as never }));
    }
    for (const event of ["cooldownStarted", "cooldownEnded", "providerDead", "providerRevived"] as const) {
      this.limiter.on(event, (told: unknown) => heard.push({ event, told: told as never }));
    }
    return heard;
  }
}

/** One provider "a" of the capability "chat". */
export function desk(
  provider: Partial<NonNullable<GrateLimiterOptions["providers"]>[number]> = {},
  options: Omit<GrateLimiterOptions, "clock" | "providers" | "capabilities"> = {},
): Desk {
  return new Desk({ ...options, providers: [{ name: "a", ...provider }], capabilities: { chat: ["a"] } });
}

/** The rejection of an `acquire` that was decided. */
export function rejection(asked: Asked): NoAvailableProviders {
  expect(asked.state).toBe("rejected");
  if (!NoAvailableProviders.is(asked.error)) expect.unreachable(`rejected with ${String(asked.error)}`);
  return asked.error as NoAvailableProviders;
}
