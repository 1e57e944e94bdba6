// A limiter with a mock clock, recorded events, and the checks of most tests of `run`, `stream` and `map`.
import { expect } from "vitest";
import {
  type Attempt,
  GrateLimiter,
  type GrateLimiterOptions,
  type LimiterEvents,
  MockClock,
  NoAvailableProviders,
  type ProviderConfig,
} from "../../src/index.ts";

/** An error with a status, as clients throw it. */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };

  constructor(status: number, headers: { readonly [name: string]: string } = {}) {
    super(`status ${status}`);
    this.status = status;
    this.headers = headers;
  }
}

/** The state of a promise. It changes when the promise settles. */
export interface PromiseState<T> {
  state: "open" | "resolved" | "rejected";
  value: T | undefined;
  error: unknown;
}

export function watch<T>(promise: PromiseLike<T>): PromiseState<T> {
  const state: PromiseState<T> = { state: "open", value: undefined, error: undefined };
  promise.then(
    (value) => Object.assign(state, { state: "resolved", value }),
    (error: unknown) => Object.assign(state, { state: "rejected", error }),
  );
  return state;
}

export interface RunFixture {
  readonly clock: MockClock;
  readonly limiter: GrateLimiter;
  /** The events so far, in order. */
  readonly events: { readonly name: keyof LimiterEvents; readonly data: never }[];
}

/** Creates a limiter with providers of the capability "chat", preferred in the given order. */
export function runFixture(
  providers: readonly (string | ProviderConfig)[] = ["a", "b"],
  options: Omit<GrateLimiterOptions, "providers" | "capabilities" | "clock"> = {},
): RunFixture {
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
  const events: { name: keyof LimiterEvents; data: never }[] = [];
  for (const name of [
    "leaseGranted",
    "leaseSettled",
    "leaseExpired",
    "refused",
    "failover",
    "cooldownStarted",
  ] as const) {
    limiter.on(name, (data: unknown) => events.push({ name, data: data as never }));
  }
  return { clock, limiter, events };
}

/** Returns the statuses of the settled leases, in order. */
export function settledStatuses({ events }: RunFixture): readonly string[] {
  return events.flatMap(({ name, data }) => (name === "leaseSettled" ? [(data as { status: string }).status] : []));
}

/** Expects that only abandoned tasks are in flight, and nothing once they have run for `leaseTimeoutMs`; no call waits. */
export function expectIdle({ limiter, clock }: RunFixture): void {
  // Places of unanswered requests become free a second later.
  clock.advanceMs(2_000);
  const { providers, waiting, oldestLeaseMs, metrics } = limiter.inspect();
  for (const { inFlight, abandonedTasks } of providers) expect(inFlight).toBe(abandonedTasks);
  expect(waiting).toEqual({});
  expect(oldestLeaseMs).toBeNull();
  clock.advanceMs(600_000);
  for (const { inFlight, abandonedTasks } of limiter.inspect().providers)
    expect([inFlight, abandonedTasks]).toEqual([0, 0]);
  expect(limiter.metrics.leasesExpired).toBe(metrics.leasesExpired);
}

/** Returns the reason of a rejected promise. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return expect.unreachable("it was not rejected");
}

/** Returns the reason of a promise that the limiter itself rejected. */
export async function refusalOf(promise: PromiseLike<unknown>): Promise<NoAvailableProviders> {
  const error = await rejection(promise);
  if (!NoAvailableProviders.is(error)) expect.unreachable(`rejected with ${String(error)}`);
  return error as NoAvailableProviders;
}

/** A promise that never settles. */
export function never(): Promise<never> {
  return new Promise(() => {});
}

/** A task with the given outcomes, one per attempt. An Error is thrown. */
export function scriptedTask(...endings: readonly unknown[]) {
  const providers: string[] = [];
  const task = async ({ provider, attempt }: { readonly provider: string; readonly attempt: number }) => {
    providers.push(provider);
    expect(attempt).toBe(providers.length);
    const ending = endings[Math.min(attempt, endings.length) - 1];
    if (ending instanceof Error) throw ending;
    return ending;
  };
  return { task, providers };
}

export const attemptSummary = (attempts: readonly Attempt[]) =>
  attempts.map(({ provider, status }) => `${provider} ${status}`);
