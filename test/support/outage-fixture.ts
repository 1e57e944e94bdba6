// Counts lost calls, sent requests and refusals of calls to providers that break for a time, under a mock clock.
import type { GrateLimiterOptions, ProviderConfig, RunOptions, TaskContext } from "../../src/index.ts";
import { HttpError, type RunFixture, runFixture } from "./run-fixture.ts";

export const CALLS = ["run", "stream", "map"] as const;
export type CallKind = (typeof CALLS)[number];

/** How a broken provider fails a request. */
export const FAILURES = ["500", "503", "reset", "timeout", "429"] as const;
export type FailureKind = (typeof FAILURES)[number];

const reset = () => Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
const timeOut = () => Object.assign(new Error("timed out"), { name: "TimeoutError" });

export function failureOf(kind: FailureKind): Error {
  return kind === "reset" ? reset() : kind === "timeout" ? timeOut() : new HttpError(Number(kind));
}

/** Answer of a provider to the request that arrives now: an error, or null for a success. */
export type Answer = (provider: string, now: number) => Error | null;

export interface Outage extends RunFixture {
  /** Requests that were sent, by provider. */
  readonly sent: { [provider: string]: number };
  /** Calls that were lost, with their errors, and the ends of those that were served. */
  readonly lost: unknown[];
  readonly servedAt: number[];
  /** Makes one call of that kind. */
  call(kind: CallKind, options?: RunOptions): Promise<void>;
  sleep(ms: number): Promise<void>;
}

/** A limiter with requests that `answer` answers after `latencyMs`. */
export function outageFixture(
  providers: readonly (string | ProviderConfig)[],
  answer: Answer,
  latencyMs: number | ((provider: string) => number),
  options: Omit<GrateLimiterOptions, "providers" | "capabilities" | "clock"> = {},
): Outage {
  const fixture = runFixture(providers, options);
  const { clock, limiter } = fixture;
  const sent: { [provider: string]: number } = {};
  const lost: unknown[] = [];
  const servedAt: number[] = [];
  const sleep = (ms: number) => new Promise<void>((resolve) => void clock.wakeAt(clock.now() + ms, resolve));
  const send = async (provider: string) => {
    sent[provider] = (sent[provider] ?? 0) + 1;
    const ms = typeof latencyMs === "number" ? latencyMs : latencyMs(provider);
    if (ms > 0) await sleep(ms);
    const error = answer(provider, clock.now() - 1_000);
    if (error !== null) throw error;
    return provider;
  };
  const stream = async function* ({ provider }: TaskContext) {
    yield await send(provider);
  };
  const call = async (kind: CallKind, runOptions: RunOptions = {}) => {
    try {
      if (kind === "run") await limiter.run("chat", ({ provider }) => send(provider), runOptions);
      else if (kind === "stream") {
        const { value } = await limiter.stream("chat", stream, runOptions);
        for await (const _ of value);
      } else {
        for await (const result of limiter.map("chat", [0], (_, { provider }) => send(provider), runOptions)) {
          if (!result.ok) throw result.error;
        }
      }
      servedAt.push(clock.now() - 1_000);
    } catch (error) {
      lost.push(error);
    }
  };
  return { ...fixture, sent, lost, servedAt, call, sleep };
}
