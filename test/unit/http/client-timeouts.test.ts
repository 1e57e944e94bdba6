// A plain abort before the headers: some clients abort without a reason when their time is over.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { limitedFetch } from "../../../src/http/index.ts";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { rejection } from "../../support/run-fixture.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Status with which the lease ends when the caller aborts after that time. */
async function endedAfter(ms: number, meanLatencyMs: number, reason?: unknown): Promise<string | undefined> {
  const limiter = new GrateLimiter({
    clock: new MockClock(),
    providers: [{ name: "a" }],
    capabilities: { chat: ["a"] },
  });
  if (meanLatencyMs > 0) limiter.observe({ provider: "a", outcome: { status: 200, latencyMs: meanLatencyMs } });
  let ended: string | undefined;
  limiter.on("leaseSettled", ({ status }) => {
    ended = status;
  });
  const abort = new AbortController();
  const sent = (_: unknown, init?: RequestInit) =>
    new Promise<never>((_resolve, reject) => {
      init!.signal!.addEventListener("abort", () => reject(init!.signal!.reason));
      vi.advanceTimersByTime(ms);
      queueMicrotask(() => abort.abort(reason));
    });
  const fetch = limitedFetch(limiter, { capability: "chat", provider: "a", fetch: sent });
  const error = await rejection(fetch("https://a.example", { signal: abort.signal }));
  expect(error).toBe(abort.signal.reason);
  return ended;
}

describe("an abort of the client before the headers", () => {
  it.each([
    ["cancelled", 9_999, 0, undefined],
    ["timeout", 10_000, 0, undefined],
    ["timeout", 10_000, 2_000, undefined],
    ["cancelled", 10_000, 2_001, undefined],
    ["timeout", 20_000, 4_000, undefined],
    ["timeout", 5, 0, new DOMException("x", "TimeoutError")],
    ["timeout", 5, 0, "timeout"],
    ["cancelled", 5, 0, new Error("I changed my mind")],
  ])("is %s after %d ms at a mean latency of %d ms with the reason %s", async (expected, ms, mean, reason) => {
    expect(await endedAfter(ms, mean, reason)).toBe(expected);
  });
});
