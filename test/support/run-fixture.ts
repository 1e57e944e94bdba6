// A limiter at a mock clock, and the few words in which the tests of calls ask it.
import { expect } from "vitest";
import {
  GrateLimiter,
  type GrateLimiterOptions,
  type LimiterEvents,
  MockClock,
  NoAvailableProviders,
  type ProviderConfig,
} from "../../src/index.ts";

/** A failure as clients throw it. */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };

  constructor(status: number, headers: { readonly [name: string]: string } = {}) {
    super(`status ${status}`);
    this.status = status;
    this.headers = headers;
  }
}

/** What became of a promise, as it becomes known. */
export interface Seen<T> {
  state: "open" | "resolved" | "rejected";
  value: T | undefined;
  error: unknown;
}

export function seen<T>(promise: PromiseLike<T>): Seen<T> {
  const state: Seen<T> = { state: "open", value: undefined, error: undefined };
  promise.then(
    (value) => Object.assign(state, { state: "resolved", value }),
    (error: unknown) => Object.assign(state, { state: "rejected", error }),
  );
  return state;
}

export interface Bench {
  readonly clock: MockClock;
  readonly limiter: GrateLimiter;
  /** In order; `name` and what was told. */
  readonly events: { readonly name: keyof LimiterEvents; readonly told: never }[];
}

/** Providers of the capability "chat", preferred in the order in which they are named. */
export function bench(
  providers: readonly (string | ProviderConfig)[] = ["a", "b"],
  options: Omit<GrateLimiterOptions, "providers" | "capabilities" | "clock"> = {},
): Bench {
  const clock = new MockClock({ startMs: 1_000 });
  const configs = providers.map((provider) => (typeof provider === "string" ? { name: provider } : provider));
  const limiter = new GrateLimiter({
    random: () => 0.5,
    ...options,
    clock,
    providers: configs.map((config, place) => ({ priority: 10 - place, ...config })),
    capabilities: { chat: configs.map(({ name }) => name) },
    scoring: options.scoring ?? { quota: 0, health: 0, priority: 1, latency: 0 },
  });
  const events: { name: keyof LimiterEvents; told: never }[] = [];
  for (const name of [
    "leaseGranted",
    "leaseSettled",
    "leaseExpired",
    "refused",
    "failover",
    "cooldownStarted",
  ] as const) {
    limiter.on(name, (told: unknown) => events.push({ name, told: told as never }));
  }
  return { clock, limiter, events };
}

/** The statuses with which leases were settled, in order. */
export function settled({ events }: Bench): readonly string[] {
  return events.flatMap(({ name, told }) => (name === "leaseSettled" ? [(told as { status: string }).status] : []));
}

/** Nothing is in flight, nobody waits, and no lease is open. */
export function expectIdle({ limiter, clock }: Bench): void {
  // Places of requests that ended unanswered are freed a second later.
  clock.advanceMs(2_000);
  const { providers, waiting, oldestLeaseMs } = limiter.inspect();
  expect(providers.map(({ inFlight }) => inFlight)).toEqual(providers.map(() => 0));
  expect(waiting).toEqual({});
  expect(oldestLeaseMs).toBeNull();
}

/** What a promise is rejected with. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return expect.unreachable("it was not rejected");
}

/** The same, which must be the limiter's own. */
export async function refusalOf(promise: PromiseLike<unknown>): Promise<NoAvailableProviders> {
  const error = await rejection(promise);
  if (!NoAvailableProviders.is(error)) expect.unreachable(`rejected with ${String(error)}`);
  return error as NoAvailableProviders;
}

/** A promise that never settles. */
export function never(): Promise<never> {
  return new Promise(() => {});
}
