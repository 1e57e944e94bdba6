// The failover of `run`: other providers, retries on the same provider, and their limits.
import { describe, expect, it, vi } from "vitest";
import type { StatusClass } from "../../../src/index.ts";
import {
  attemptSummary,
  expectIdle,
  HttpError,
  refusalOf,
  runFixture,
  scriptedTask,
  settledStatuses,
  watch,
} from "../../support/run-fixture.ts";

describe("failover", () => {
  it.each<[number, StatusClass]>([
    [401, "unauthorized"],
    [402, "quota_exhausted"],
    [403, "forbidden"],
    [408, "timeout"],
    [429, "rate_limited"],
    [500, "server_error"],
    [503, "overloaded"],
    [529, "overloaded"],
  ])("a call fails over after status %i, whether thrown or resolved", async (code, status) => {
    const failed = new Response("later", { status: code });
    for (const ending of [new HttpError(code), failed]) {
      const fixture = runFixture();
      const { task, providers } = scriptedTask(ending, "served");
      const result = await fixture.limiter.run("chat", task);
      expect(result).toMatchObject({ value: "served", provider: "b" });
      expect(attemptSummary(result.attempts)).toEqual([`a ${status}`, "b success"]);
      expect(result.attempts[0]!.error).toBe(ending);
      expect(providers).toEqual(["a", "b"]);
      expect(settledStatuses(fixture)).toEqual([status, "success"]);
      const failovers = fixture.events.filter(({ name }) => name === "failover").map(({ data }) => data);
      expect(failovers).toEqual([{ capability: "chat", from: "a", to: "b", status }]);
      expect(fixture.limiter.metrics.failovers).toBe(1);
      expectIdle(fixture);
    }
    // The connection is free, because the body of the response is cancelled.
    expect(failed.bodyUsed).toBe(true);
  });

  it("the Retry-After of a response is observed", async () => {
    const fixture = runFixture();
    await fixture.limiter.run("chat", scriptedTask(new HttpError(429, { "retry-after": "30" }), 1).task);
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 30_000 });
    const refused = new Response(null, { status: 503, headers: { "retry-after-ms": "2500" } });
    const other = runFixture();
    await other.limiter.run("chat", scriptedTask(refused, 1).task);
    expect(other.limiter.inspect().providers[0]!.cooldownMs).toBe(2_500);
  });

  it("each provider is tried once before any is tried again, in order of rank", async () => {
    const fixture = runFixture(["a", "b", "c", "d"]);
    const { task, providers } = scriptedTask(new HttpError(500), new HttpError(429), new HttpError(401), "at last");
    const { attempts } = await fixture.limiter.run("chat", task);
    expect(providers).toEqual(["a", "b", "c", "d"]);
    expect(attemptSummary(attempts)).toEqual(["a server_error", "b rate_limited", "c unauthorized", "d success"]);
  });

  it("a failed call reports the attempted providers and has the last error as its cause", async () => {
    const fixture = runFixture(["a", "b", "c"]);
    const last = new HttpError(503);
    const { task } = scriptedTask(new HttpError(500), new HttpError(500), last);
    const error = await refusalOf(fixture.limiter.run("chat", task, { maxAttempts: 3 }));
    expect(error).toMatchObject({ kind: "attempts_failed", capability: "chat", cause: last });
    expect(error.message).toContain('(last answer: 503 "status 503")');
    expect(attemptSummary(error.attempts)).toEqual(["a server_error", "b server_error", "c overloaded"]);
    expect(settledStatuses(fixture)).toEqual(["server_error", "server_error", "overloaded"]);
    expectIdle(fixture);
  });

  it("if the last outcome is a response, the cause is the response with an unread body", async () => {
    const { limiter } = runFixture();
    const response = new Response("slow down", { status: 503, statusText: "Busy" });
    const error = await refusalOf(limiter.run("chat", async () => response, { maxAttempts: 1 }));
    expect(error.cause).toBe(response);
    expect(error.message).toContain('(last answer: 503 "Busy")');
    expect(await response.text()).toBe("slow down");
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 3],
    [undefined, 4],
  ])("with maxAttempts %s a call makes %i attempts", async (maxAttempts, made) => {
    const { limiter, clock } = runFixture(["a", "b", "c"]);
    const { task, providers } = scriptedTask(new HttpError(500));
    const call = refusalOf(limiter.run("chat", task, { maxAttempts }));
    await clock.advanceMsAsync(60_000);
    expect((await call).attempts.length).toBe(made);
    expect(providers.length).toBe(made);
  });

  it("the default of maxAttempts depends on the eligible providers and is at least three", async () => {
    const { limiter, clock } = runFixture(["a", "b", "c", "d"]);
    const { task, providers } = scriptedTask(new HttpError(500));
    const call = refusalOf(limiter.run("chat", task, { only: ["d"] }));
    await clock.advanceMsAsync(60_000);
    await call;
    expect(providers).toEqual(["d", "d", "d"]);
  });

  it("options of the call take precedence over the defaults", async () => {
    const { limiter } = runFixture(["a", "b", "c"], { defaults: { maxAttempts: 1, classify: () => 503 } });
    const once = await refusalOf(limiter.run("chat", () => "fine"));
    expect(attemptSummary(once.attempts)).toEqual(["a overloaded"]);
    expect((await limiter.run("chat", () => "fine", { classify: () => undefined })).value).toBe("fine");
  });

  it("a provider that failed the call is skipped while another has capacity, even one of lower rank", async () => {
    const fixture = runFixture(["a", { name: "b", limits: { rpm: 1 } }]);
    const { task, providers } = scriptedTask(new HttpError(500), new HttpError(500), 1);
    const call = watch(fixture.limiter.run("chat", task, { maxAttempts: 3 }));
    await fixture.clock.advanceMsAsync(5_000);
    expect(call.value?.value).toBe(1);
    // "b" is full by then, so "a" remains.
    expect(providers).toEqual(["a", "b", "a"]);
    expectIdle(fixture);
  });

  it("a call waits for capacity at the next provider, but not for ever, and reports the wait", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 1 } }]);
    const call = refusalOf(fixture.limiter.run("chat", scriptedTask(new HttpError(500)).task, { maxWaitMs: 5_000 }));
    await fixture.clock.advanceMsAsync(1_000);
    const error = await call;
    expect(error).toMatchObject({ kind: "attempts_failed", cause: { status: 500 } });
    expect(error.reasons).toMatchObject([{ provider: "a", reason: "quota" }]);
    expect(error.retryAfterMs).toBeGreaterThan(55_000);
    expectIdle(fixture);
  });

  it("a call with one provider cannot fail over: a dead key is reported immediately", async () => {
    const fixture = runFixture(["a"]);
    const last = new HttpError(401);
    const error = await refusalOf(fixture.limiter.run("chat", scriptedTask(last).task));
    expect(error).toMatchObject({ kind: "attempts_failed", cause: last, retryAfterMs: null });
    expect(error.reasons).toMatchObject([{ provider: "a", reason: "dead" }]);
    expect(attemptSummary(error.attempts)).toEqual(["a unauthorized"]);
    // No further request is sent.
    const next = await refusalOf(fixture.limiter.run("chat", () => expect.unreachable()));
    expect(next).toMatchObject({ kind: "refused", attempts: [] });
    expect(next.cause).toBeUndefined();
  });

  it("a failed call reports when a retry is useful if no provider has capacity", async () => {
    const { limiter } = runFixture(["a", "b"]);
    const endings = [new HttpError(429, { "retry-after": "30" }), new HttpError(429, { "retry-after": "12" })];
    const impatient = { maxWaitMs: 11_999 };
    const error = await refusalOf(limiter.run("chat", scriptedTask(...endings).task, impatient));
    expect(error).toMatchObject({ kind: "attempts_failed", retryAfterMs: 12_000, retryAfterSeconds: 12 });
    expect(error.reasons.map(({ reason }) => reason)).toEqual(["cooldown", "cooldown"]);
    const { limiter: other } = runFixture(["a", "b"]);
    const once = await refusalOf(
      other.run("chat", scriptedTask(new HttpError(503, { "retry-after": "30" })).task, { maxAttempts: 1 }),
    );
    expect(once).toMatchObject({ kind: "attempts_failed", retryAfterMs: null });
    expect(once.reasons.map(({ provider }) => provider)).toEqual(["a"]);
  });
});

describe("retries on the same provider", () => {
  it("a retry waits half of a growing delay and a random part of the other half", async () => {
    const fixture = runFixture(["a"], { random: () => 0.5 });
    const at: number[] = [];
    const task = () => {
      at.push(fixture.clock.now());
      if (at.length < 3) throw new HttpError(500);
      return "third time lucky";
    };
    const call = watch(fixture.limiter.run("chat", task, { maxAttempts: 3 }));
    await fixture.clock.advanceMsAsync(20_000);
    expect(call.value?.value).toBe("third time lucky");
    expect(at).toEqual([1_000, 1_375, 2_125]);
    expect(fixture.limiter.metrics.failovers).toBe(0);
    expectIdle(fixture);
  });

  it("a retry does not wait if another provider has capacity", async () => {
    const { limiter, clock } = runFixture(["a", "b"], { random: () => 0.99 });
    await limiter.run("chat", scriptedTask(new HttpError(500), 1).task);
    expect(clock.now()).toBe(1_000);
  });

  it("a retry waits until the end of a longer cooldown, and not longer", async () => {
    const fixture = runFixture(["a"], { random: () => 0.99 });
    const at: number[] = [];
    const call = watch(
      fixture.limiter.run("chat", () => {
        at.push(fixture.clock.now());
        if (at.length === 1) throw new HttpError(429, { "retry-after": "2" });
      }),
    );
    await fixture.clock.advanceMsAsync(10_000);
    expect(call.state).toBe("resolved");
    expect(at).toEqual([1_000, 3_000]);
    expect(call.value?.attempts[1]).toMatchObject({ waitedMs: 2_000 });
  });

  it("a call fails immediately if the cooldown outlasts its maximum wait", async () => {
    const { limiter, clock } = runFixture(["a"]);
    const error = await refusalOf(limiter.run("chat", scriptedTask(new HttpError(429, { "retry-after": "61" })).task));
    expect(error).toMatchObject({ kind: "attempts_failed", retryAfterMs: 61_000 });
    expect(clock.now()).toBe(1_000);
  });

  it("a call has one maximum wait for all its attempts together", async () => {
    const fixture = runFixture(["a"]);
    const task = scriptedTask(new HttpError(429, { "retry-after": "4" })).task;
    const call = watch(fixture.limiter.run("chat", task, { maxWaitMs: 10_000, maxAttempts: 9 }));
    await fixture.clock.advanceMsAsync(60_000);
    const error = await refusalOf(Promise.reject(call.error));
    // Attempts start at 0, 4 and 8 s; at 12 s the call would exceed its maximum wait.
    expect(error.attempts.map(({ waitedMs }) => waitedMs)).toEqual([0, 4_000, 4_000]);
    expect(error.kind).toBe("attempts_failed");
  });
});

describe("idempotent: false", () => {
  const code = (code: string) => Object.assign(new Error(code), { code });
  it.each<[string, unknown, boolean]>([
    ["a rate limit", new HttpError(429), true],
    ["an exhausted quota", new HttpError(402), true],
    ["a dead key", new HttpError(401), true],
    ["a forbidden request", new HttpError(403), true],
    ["a refused connection", code("ECONNREFUSED"), true],
    ["an unknown host", code("ENOTFOUND"), true],
    ["a server error", new HttpError(500), false],
    ["an overload", new HttpError(503), false],
    ["a time-out", new HttpError(504), false],
    ["a reset connection", code("ECONNRESET"), false],
  ])(
    "a call that is not idempotent fails over only after a failure that did no work: %s (%s)",
    async (_, ending, goesOn) => {
      const fixture = runFixture();
      const { task, providers } = scriptedTask(ending, "served");
      const call = fixture.limiter.run("chat", task, { idempotent: false });
      if (goesOn) expect((await call).value).toBe("served");
      else expect(await refusalOf(call)).toMatchObject({ kind: "attempts_failed", cause: ending });
      expect(providers.length).toBe(goesOn ? 2 : 1);
      expectIdle(fixture);
    },
  );

  it("a call that is not idempotent does not fail over after its own time-out", async () => {
    const fixture = runFixture();
    const task = vi.fn(() => new Promise(() => {}));
    const call = refusalOf(fixture.limiter.run("chat", task, { idempotent: false, attemptTimeoutMs: 100 }));
    await fixture.clock.advanceMsAsync(1_000);
    expect((await call).kind).toBe("attempts_failed");
    expect(task).toHaveBeenCalledTimes(1);
  });
});

describe("the retry budget", () => {
  const down = (provider: string) => async (context: { readonly provider: string }) => {
    if (context.provider === provider) throw new HttpError(500);
    return context.provider;
  };

  it("a provider that has not failed the call needs no budget, whatever the failure", async () => {
    const { limiter } = runFixture(["a", "b"], { retryBudget: { ratio: 0, perMinute: 0 } });
    for (let i = 0; i < 100; i++) expect((await limiter.run("chat", down("a"))).provider).toBe("b");
  });

  it("the retries on one provider do not use up the budget of another", async () => {
    const fixture = runFixture(["a", "b"], {
      retryBudget: { ratio: 0, perMinute: 3 },
      health: { cooldownTriggerCount: 100, penalty5xx: 0 },
    });
    const sent: { [provider: string]: number } = {};
    const calls = ["a", "b"].flatMap((only) =>
      Array.from({ length: 10 }, () =>
        refusalOf(
          fixture.limiter.run(
            "chat",
            async ({ provider }) => {
              sent[provider] = (sent[provider] ?? 0) + 1;
              throw new HttpError(500);
            },
            { only: [only], maxAttempts: 2, maxWaitMs: 30_000 },
          ),
        ),
      ),
    );
    await fixture.clock.advanceMsAsync(30_000);
    const kinds = (await Promise.all(calls)).map(({ kind }) => kind);
    expect(sent).toEqual({ a: 13, b: 13 });
    expect(kinds.filter((kind) => kind === "attempts_failed").length).toBe(6);
    expect(kinds.filter((kind) => kind === "retry_budget").length).toBe(14);
    expectIdle(fixture);
  });

  it("the retry budget grows with the number of requests", async () => {
    const fixture = runFixture(["a"], {
      retryBudget: { ratio: 0.2, perMinute: 0 },
      health: { cooldownTriggerCount: 100, penalty5xx: 0 },
    });
    for (let i = 0; i < 9; i++) await fixture.limiter.run("chat", () => 1);
    const failing = () => watch(fixture.limiter.run("chat", down("a"), { maxAttempts: 2, maxWaitMs: 5_000 }));
    const calls = [failing(), failing(), failing()];
    await fixture.clock.advanceMsAsync(5_000);
    // A fifth of 12 requests.
    const kinds = calls.map(({ error }) => (error as { kind: string }).kind).sort();
    expect(kinds).toEqual(["attempts_failed", "attempts_failed", "attempts_failed"]);
  });
});
