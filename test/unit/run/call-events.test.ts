// The events of calls: the wait, each attempt, and the end.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallEvent, LimiterEvents, MapResult } from "../../../src/index.ts";
import { NoAvailableProviders } from "../../../src/index.ts";
import { HttpError, type RunFixture, rejection, runFixture, watch } from "../../support/run-fixture.ts";

const NAMES = ["queued", "attemptStarted", "attemptEnded", "callEnded"] as const;
type Name = (typeof NAMES)[number];
type Heard = { readonly [N in Name]: { readonly name: N } & LimiterEvents[N] }[Name];

/** Records the events of calls. */
function listen({ limiter }: RunFixture): Heard[] {
  const heard: Heard[] = [];
  for (const name of NAMES) limiter.on(name, (data: CallEvent) => heard.push({ name, ...data } as Heard));
  return heard;
}

describe("events of a call", () => {
  it("a call that waits, fails over and succeeds emits all of them", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 1 } }, "b"]);
    const heard = listen(fixture);
    let attempts = 0;
    const result = fixture.limiter.run(
      "chat",
      async () => {
        fixture.clock.advanceMs(100);
        if (attempts++ === 0) throw new HttpError(500);
        return "done";
      },
      { label: "summary 7", only: ["a", "b"] },
    );
    expect(await result).toMatchObject({ value: "done", provider: "b" });
    const call = { callId: 1, label: "summary 7", capability: "chat" };
    expect(heard).toEqual([
      { name: "attemptStarted", ...call, provider: "a", attempt: 1, waitedMs: 0 },
      { name: "attemptEnded", ...call, provider: "a", attempt: 1, status: "server_error", latencyMs: 100 },
      { name: "attemptStarted", ...call, provider: "b", attempt: 2, waitedMs: 0 },
      { name: "attemptEnded", ...call, provider: "b", attempt: 2, status: "success", latencyMs: 100 },
      { name: "callEnded", ...call, outcome: "value", provider: "b", attempts: 2, durationMs: 200 },
    ]);
  });

  it("a call that waits says why", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 1 } }]);
    await fixture.limiter.run("chat", () => 1);
    const heard = listen(fixture);
    const waiting = fixture.limiter.run("chat", () => 2);
    expect(heard).toMatchObject([
      { name: "queued", callId: 2, label: null, reasons: [{ provider: "a", reason: "quota", retryAfterMs: 60_000 }] },
    ]);
    await fixture.clock.advanceMsAsync(60_000);
    await waiting;
    expect(heard.slice(1)).toMatchObject([
      { name: "attemptStarted", waitedMs: 60_000 },
      { name: "attemptEnded", status: "success" },
      { name: "callEnded", outcome: "value", durationMs: 60_000 },
    ]);
  });

  it.each<[string, (fixture: RunFixture) => Promise<unknown>, Partial<LimiterEvents["callEnded"]>]>([
    ["refused", ({ limiter }) => limiter.run("chat", () => 1, { tokens: 1e6 }), { outcome: "refused", attempts: 0 }],
    [
      "timed_out",
      async ({ limiter, clock }) => {
        const call = limiter.run("chat", () => new Promise(() => {}), { timeoutMs: 50 });
        call.catch(() => {});
        await clock.advanceMsAsync(50);
        return call;
      },
      { outcome: "timed_out", attempts: 1, durationMs: 50 },
    ],
    [
      "error",
      ({ limiter }) => limiter.run("chat", () => Promise.reject(new TypeError("x is not a function"))),
      { outcome: "error", attempts: 1 },
    ],
    [
      "error, of another limiter",
      ({ limiter }) => {
        const other = runFixture([{ name: "a", limits: { rpm: 0 } }]).limiter;
        return limiter.run("chat", () => other.run("chat", () => 1));
      },
      { outcome: "error", attempts: 1 },
    ],
    [
      "aborted before",
      ({ limiter }) => limiter.run("chat", () => 1, { signal: AbortSignal.abort("no") }),
      { outcome: "aborted", attempts: 0 },
    ],
    [
      "attempts_failed",
      ({ limiter }) => limiter.run("chat", () => Promise.reject(new HttpError(401))),
      { outcome: "attempts_failed", provider: "a", attempts: 1 },
    ],
    [
      "closed",
      ({ limiter }) => {
        const held = limiter.tryAcquire("chat", { tokens: 1_000 });
        expect(held.granted).toBe(true);
        const call = limiter.run("chat", () => 1, { tokens: 1_000 });
        call.catch(() => {});
        limiter.close();
        return call;
      },
      { outcome: "closed", attempts: 0 },
    ],
    [
      "error, if an unsuitable answer is handed back",
      ({ limiter }) => limiter.run("chat", () => Promise.reject(new HttpError(413))),
      { outcome: "error", attempts: 1 },
    ],
  ])("a call that ends with %s says so", async (_, begin, expected) => {
    const fixture = runFixture([{ name: "a", limits: { tpm: 1_000 } }]);
    const heard = listen(fixture);
    await rejection(begin(fixture));
    const ends = heard.filter(({ name }) => name === "callEnded");
    expect(ends).toMatchObject([{ capability: "chat", ...expected }]);
  });

  it("items of map have a label each, and a stopped item says so", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const heard = listen(fixture);
    const stop = new AbortController();
    const results = fixture.limiter.map(
      "chat",
      ["x", "y"],
      async (item) => {
        await fixture.clock.advanceMsAsync(1);
        stop.abort();
        return item;
      },
      { needs: (item) => ({ label: `item ${item}` }), stopSignal: stop.signal },
    );
    const kept: MapResult<string, string>[] = await results.toArray();
    expect(kept).toMatchObject([{ ok: true, item: "x" }]);
    const ends = heard.filter((event) => event.name === "callEnded");
    expect(ends).toMatchObject([
      { label: "item x", outcome: "value" },
      { label: "item y", outcome: "stopped", attempts: 0 },
    ]);
  });

  it("a listener that aborts the call prevents the attempt", async () => {
    const fixture = runFixture(["a"]);
    const heard = listen(fixture);
    const controller = new AbortController();
    fixture.limiter.on("attemptStarted", () => controller.abort("enough"));
    let calls = 0;
    const call = fixture.limiter.run("chat", () => calls++, { signal: controller.signal });
    expect(await rejection(call)).toBe("enough");
    expect(calls).toBe(0);
    expect(heard.map(({ name }) => name)).toEqual(["attemptStarted", "attemptEnded", "callEnded"]);
    expect(fixture.limiter.inspect().providers[0]!.inFlight).toBe(0);
  });

  it("an invalid label is one clear error", async () => {
    const { limiter } = runFixture(["a"]);
    expect(await rejection(limiter.run("chat", () => 1, { label: 5 as never }))).toMatchObject({
      message: expect.stringMatching(/label.*expected.*got 5/),
    });
  });

  it("whatever happens, attempts alternate, and each call ends once, as its promise does", async () => {
    const ending = fc.constantFrom("value", 200, 401, 413, 429, 500, "bug", "hang");
    const call = fc.record({
      endings: fc.array(ending, { minLength: 1, maxLength: 5 }),
      kind: fc.constantFrom("run", "stream"),
      waitMs: fc.constantFrom(0, 2_000, 60_000),
      abortMs: fc.constantFrom(null, null, 0, 50, 5_000),
      gapMs: fc.constantFrom(0, 10, 3_000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 12 }), async (calls) => {
        const fixture = runFixture(["a", { name: "b", limits: { rpm: 3, concurrency: 1 } }]);
        const { limiter, clock } = fixture;
        const heard = listen(fixture);
        const settled = calls.map(() => watch(new Promise(() => {})));
        for (const [index, { endings, kind, waitMs, abortMs, gapMs }] of calls.entries()) {
          let next = 0;
          const answer = () => {
            const each = endings[Math.min(next++, endings.length - 1)]!;
            if (each === "hang") return new Promise<never>(() => {});
            if (each === "bug") throw new TypeError("a mistake of the program");
            if (typeof each === "number" && each >= 400) throw new HttpError(each);
            return each;
          };
          const abort = new AbortController();
          if (abortMs !== null) clock.wakeAt(clock.now() + abortMs, () => abort.abort("enough"));
          const options = { maxWaitMs: waitMs, timeoutMs: 90_000, signal: abort.signal, label: String(index) };
          const chunks = async function* () {
            yield await answer();
          };
          settled[index] = watch(
            kind === "run"
              ? limiter.run("chat", async () => answer(), options)
              : limiter.stream("chat", chunks, options).then(async ({ value }) => {
                  for await (const _ of value);
                }),
          );
          await clock.advanceMsAsync(gapMs);
        }
        await clock.advanceMsAsync(200_000);
        for (const [index, { state, error }] of settled.entries()) {
          const own = heard.filter(({ label }) => label === String(index));
          expect(new Set(own.map(({ callId }) => callId))).toEqual(new Set([index + 1]));
          const attempts = own.filter((event) => event.name === "attemptStarted" || event.name === "attemptEnded");
          expect(attempts.map(({ name, attempt }) => `${name} ${attempt}`)).toEqual(
            Array.from({ length: attempts.length }, (_, place) =>
              place % 2 === 0 ? `attemptStarted ${place / 2 + 1}` : `attemptEnded ${(place + 1) / 2}`,
            ),
          );
          const ends = own.filter((event) => event.name === "callEnded");
          expect(ends).toHaveLength(1);
          const [end] = ends;
          expect(own.at(-1)).toBe(end);
          expect(end!.attempts * 2).toBe(attempts.length);
          expect(end!.durationMs).toBeGreaterThanOrEqual(0);
          if (end!.outcome === "value") expect(state).toBe("resolved");
          else if (end!.outcome === "aborted") expect(error).toBe("enough");
          else if (end!.outcome === "error") expect(NoAvailableProviders.is(error)).toBe(false);
          else expect(NoAvailableProviders.is(error) && error.kind).toBe(end!.outcome);
        }
      }),
      { numRuns: 100 },
    );
  });
});

it("exceptions of listeners are counted", async () => {
  const { limiter } = runFixture(["a"]);
  limiter.on("attemptStarted", () => {
    throw new Error("no");
  });
  limiter.on("callEnded", () => Promise.reject(new Error("no")));
  await limiter.run("chat", () => 1);
  await Promise.resolve();
  expect(limiter.metrics.listenerErrors).toBe(2);
});
