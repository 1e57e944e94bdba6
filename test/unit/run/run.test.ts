// `run`: the attempts of one call, its result, the observations that it makes, and its failover.
import { describe, expect, it, vi } from "vitest";
import { type Attempt, GrateLimiter, InvalidConfig, type StatusClass, UnknownCapability } from "../../../src/index.ts";
import {
  expectIdle,
  HttpError,
  refusalOf,
  rejection,
  runFixture,
  settledStatuses,
  watch,
} from "../../support/run-fixture.ts";

/** A task with the given outcomes, one per attempt. An Error is thrown. */
function script(...endings: readonly unknown[]) {
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
const short = (attempts: readonly Attempt[]) => attempts.map(({ provider, status }) => `${provider} ${status}`);

describe("a task that succeeds", () => {
  it("a task that succeeds is called once, and its value is returned unchanged", async () => {
    const fixture = runFixture();
    const value = { answer: 42 };
    const task = vi.fn(async () => value);
    const result = await fixture.limiter.run("chat", task);
    expect(result.value).toBe(value);
    expect(result).toEqual({
      value,
      provider: "a",
      attempts: [{ provider: "a", status: "success", waitedMs: 0, latencyMs: 0, error: null }],
    });
    expect(task).toHaveBeenCalledTimes(1);
    expect(settledStatuses(fixture)).toEqual(["success"]);
    expectIdle(fixture);
  });

  it.each<[string, () => number | PromiseLike<number>]>([
    ["a value", () => 7],
    ["a promise", () => Promise.resolve(7)],
    // biome-ignore lint/suspicious/noThenProperty: that is the point
    ["a thenable", () => ({ then: (resolve: (value: number) => void) => resolve(7) }) as PromiseLike<number>],
  ])("a task can return %s", async (_, task) => {
    const fixture = runFixture();
    expect((await fixture.limiter.run("chat", task)).value).toBe(7);
    expectIdle(fixture);
  });

  it("the task receives its provider and its reserved amounts", async () => {
    const { limiter } = runFixture([{ name: "a", limits: { rpm: 5, tpm: 1_000 } }]);
    await limiter.run(
      "chat",
      ({ provider, attempt, lease, signal }) => {
        expect({ provider, attempt }).toEqual({ provider: "a", attempt: 1 });
        expect(lease).toMatchObject({ granted: true, provider: "a", capability: "chat", reserved: { tokens: 40 } });
        expect(signal).toBeInstanceOf(AbortSignal);
        expect(signal.aborted).toBe(false);
        lease.report({ tokens: 25 });
      },
      { tokens: 40 },
    );
    expect(limiter.remainingQuota("a", "tokens")).toBe(975);
  });

  it("the latency of the task and its waiting time are measured", async () => {
    const { clock, limiter } = runFixture([{ name: "a", limits: { rps: 1 } }]);
    await limiter.run("chat", () => 1);
    const second = watch(limiter.run("chat", () => clock.advanceMs(250)));
    await clock.advanceMsAsync(1_000);
    expect(second.value?.attempts).toMatchObject([{ waitedMs: 1_000, latencyMs: 250 }]);
    expect(limiter.inspect().providers[0]!.latencyMs).toBeGreaterThan(0);
  });

  it("the task can settle or release its lease itself", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 5 } }]);
    await fixture.limiter.run("chat", ({ lease }) => lease.settle({ status: 503 }));
    expect(settledStatuses(fixture)).toEqual(["overloaded"]);
    await fixture.limiter.run("chat", ({ lease }) => lease.release());
    expect(fixture.limiter.remainingQuota("a", "requests")).toBe(4);
    expectIdle(fixture);
  });

  it("a task that does not read its signal creates no signal and no timer", async () => {
    const fixture = runFixture();
    const wakeAt = vi.spyOn(fixture.clock, "wakeAt");
    const made = vi.spyOn(globalThis, "AbortController");
    await fixture.limiter.run("chat", () => 1);
    expect(wakeAt).not.toHaveBeenCalled();
    expect(made).not.toHaveBeenCalled();
    await fixture.limiter.run("chat", ({ signal }) => signal);
    expect(made).toHaveBeenCalledTimes(1);
    made.mockRestore();
  });
});

describe("errors of the caller", () => {
  const frozen = Object.freeze(new Error("frozen"));
  it.each([
    ["a typo", new TypeError("clients.opnai is undefined")],
    ["an error that is frozen", frozen],
    ["a text", "no"],
    ["undefined", undefined],
    ["null", null],
    ["a client error", new HttpError(400)],
    ["a client error that is too large", new HttpError(413)],
    ["an abort of its own", new DOMException("no", "AbortError")],
  ])("%s is returned unchanged, whether thrown or rejected, and is not retried", async (_, error) => {
    for (const how of ["throws", "rejects"]) {
      const fixture = runFixture();
      const task = vi.fn(() => {
        if (how === "throws") throw error;
        return Promise.reject(error);
      });
      expect(await rejection(fixture.limiter.run("chat", task))).toBe(error);
      expect(task).toHaveBeenCalledTimes(1);
      expect(settledStatuses(fixture)).toEqual([error instanceof HttpError ? "client_error" : "cancelled"]);
      expect(fixture.limiter.providerHealth("a")).toBe(1);
      expectIdle(fixture);
    }
  });

  it("a repeated error of the caller starts no cooldown", async () => {
    const fixture = runFixture(["a"]);
    for (let i = 0; i < 20; i++) {
      await rejection(fixture.limiter.run("chat", () => (undefined as never as { chat(): void }).chat()));
    }
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "available", health: 1 });
    expect(fixture.limiter.metrics).toMatchObject({ cooldownsTriggered: 0, failovers: 0, leasesSettled: 20 });
  });

  it("a fetch response with a client error is returned as the value", async () => {
    const fixture = runFixture();
    const response = new Response("no such model", { status: 404 });
    const { value, attempts } = await fixture.limiter.run("chat", async () => response);
    expect(value).toBe(response);
    expect(await value.text()).toBe("no such model");
    expect(short(attempts)).toEqual(["a client_error"]);
    expect(settledStatuses(fixture)).toEqual(["client_error"]);
  });

  it("a refusal by another limiter is not a failure of the provider", async () => {
    const fixture = runFixture();
    const inner = runFixture(["x", "y"]);
    const outer = fixture.limiter.run("chat", () =>
      inner.limiter.run("chat", () => Promise.reject(new HttpError(429))),
    );
    const error = await refusalOf(outer);
    expect(short(error.attempts)).toEqual(["x rate_limited", "y rate_limited"]);
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(fixture.limiter.providerHealth("a")).toBe(1);
  });

  it("a thenable that throws in `then` counts as a rejected task", async () => {
    const fixture = runFixture();
    const error = new Error("trap");
    // biome-ignore lint/suspicious/noThenProperty: that is the point
    const thenable = Object.defineProperty({}, "then", {
      get() {
        throw error;
      },
    });
    expect(await rejection(fixture.limiter.run("chat", () => thenable))).toBe(error);
    expectIdle(fixture);
  });
});

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
      const { task, providers } = script(ending, "served");
      const result = await fixture.limiter.run("chat", task);
      expect(result).toMatchObject({ value: "served", provider: "b" });
      expect(short(result.attempts)).toEqual([`a ${status}`, "b success"]);
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
    await fixture.limiter.run("chat", script(new HttpError(429, { "retry-after": "30" }), 1).task);
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 30_000 });
    const refused = new Response(null, { status: 503, headers: { "retry-after-ms": "2500" } });
    const other = runFixture();
    await other.limiter.run("chat", script(refused, 1).task);
    expect(other.limiter.inspect().providers[0]!.cooldownMs).toBe(2_500);
  });

  it("by default each provider is tried once, in order of rank", async () => {
    const fixture = runFixture(["a", "b", "c", "d"]);
    const { task, providers } = script(new HttpError(500), new HttpError(429), new HttpError(401), "at last");
    const { attempts } = await fixture.limiter.run("chat", task);
    expect(providers).toEqual(["a", "b", "c", "d"]);
    expect(short(attempts)).toEqual(["a server_error", "b rate_limited", "c unauthorized", "d success"]);
  });

  it("a failed call reports the attempted providers and has the last error as its cause", async () => {
    const fixture = runFixture(["a", "b", "c"]);
    const last = new HttpError(503);
    const error = await refusalOf(
      fixture.limiter.run("chat", script(new HttpError(500), new HttpError(500), last).task),
    );
    expect(error).toMatchObject({ kind: "attempts_failed", capability: "chat", cause: last });
    expect(short(error.attempts)).toEqual(["a server_error", "b server_error", "c overloaded"]);
    expect(settledStatuses(fixture)).toEqual(["server_error", "server_error", "overloaded"]);
    expectIdle(fixture);
  });

  it("if the last outcome is a response, the cause is the response with an unread body", async () => {
    const { limiter } = runFixture();
    const response = new Response("slow down", { status: 429 });
    const error = await refusalOf(limiter.run("chat", async () => response, { maxAttempts: 1 }));
    expect(error.cause).toBe(response);
    expect(await response.text()).toBe("slow down");
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 3],
    [undefined, 3],
  ])("with maxAttempts %s a call makes %i attempts", async (maxAttempts, made) => {
    const { limiter, clock } = runFixture(["a", "b", "c"]);
    const { task, providers } = script(new HttpError(500));
    const call = refusalOf(limiter.run("chat", task, { maxAttempts }));
    await clock.advanceMsAsync(60_000);
    expect((await call).attempts.length).toBe(made);
    expect(providers.length).toBe(made);
  });

  it("the default of maxAttempts depends on the eligible providers and is at least two", async () => {
    const { limiter, clock } = runFixture(["a", "b", "c", "d"]);
    const { task, providers } = script(new HttpError(500));
    const call = refusalOf(limiter.run("chat", task, { only: ["d"] }));
    await clock.advanceMsAsync(60_000);
    await call;
    expect(providers).toEqual(["d", "d"]);
  });

  it("options of the call take precedence over the defaults", async () => {
    const { limiter } = runFixture(["a", "b", "c"], { defaults: { maxAttempts: 1, classify: () => 503 } });
    const once = await refusalOf(limiter.run("chat", () => "fine"));
    expect(short(once.attempts)).toEqual(["a overloaded"]);
    expect((await limiter.run("chat", () => "fine", { classify: () => undefined })).value).toBe("fine");
  });

  it("a provider that failed the call is skipped while another has capacity, even one of lower rank", async () => {
    const fixture = runFixture(["a", { name: "b", limits: { rpm: 1 } }]);
    const { task, providers } = script(new HttpError(500), new HttpError(500), 1);
    const call = watch(fixture.limiter.run("chat", task, { maxAttempts: 3 }));
    await fixture.clock.advanceMsAsync(5_000);
    expect(call.value?.value).toBe(1);
    // "b" is full by then, so "a" remains.
    expect(providers).toEqual(["a", "b", "a"]);
    expectIdle(fixture);
  });

  it("a call waits for capacity at the next provider, but not for ever, and reports the wait", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 1 } }]);
    const call = refusalOf(fixture.limiter.run("chat", script(new HttpError(500)).task, { maxWaitMs: 5_000 }));
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
    const error = await refusalOf(fixture.limiter.run("chat", script(last).task));
    expect(error).toMatchObject({ kind: "attempts_failed", cause: last, retryAfterMs: null });
    expect(error.reasons).toMatchObject([{ provider: "a", reason: "dead" }]);
    expect(short(error.attempts)).toEqual(["a unauthorized"]);
    // No further request is sent.
    const next = await refusalOf(fixture.limiter.run("chat", () => expect.unreachable()));
    expect(next).toMatchObject({ kind: "refused", attempts: [] });
    expect(next.cause).toBeUndefined();
  });

  it("a failed call reports when a retry is useful if no provider has capacity", async () => {
    const { limiter } = runFixture(["a", "b"]);
    const endings = [new HttpError(429, { "retry-after": "30" }), new HttpError(429, { "retry-after": "12" })];
    const error = await refusalOf(limiter.run("chat", script(...endings).task));
    expect(error).toMatchObject({ kind: "attempts_failed", retryAfterMs: 12_000, retryAfterSeconds: 12 });
    expect(error.reasons.map(({ reason }) => reason)).toEqual(["cooldown", "cooldown"]);
    const { limiter: other } = runFixture(["a", "b"]);
    const once = await refusalOf(other.run("chat", script(endings[0]).task, { maxAttempts: 1 }));
    expect(once).toMatchObject({ kind: "attempts_failed", retryAfterMs: null });
    expect(once.reasons.map(({ provider }) => provider)).toEqual(["a"]);
  });
});

describe("retries on the same provider", () => {
  it("a retry waits a random part of a growing delay", async () => {
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
    expect(at).toEqual([1_000, 1_250, 1_750]);
    expect(fixture.limiter.metrics.failovers).toBe(0);
    expectIdle(fixture);
  });

  it("a retry does not wait if another provider has capacity", async () => {
    const { limiter, clock } = runFixture(["a", "b"], { random: () => 0.99 });
    await limiter.run("chat", script(new HttpError(500), 1).task);
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
    const error = await refusalOf(limiter.run("chat", script(new HttpError(429, { "retry-after": "61" })).task));
    expect(error).toMatchObject({ kind: "attempts_failed", retryAfterMs: 61_000 });
    expect(clock.now()).toBe(1_000);
  });

  it("a call has one maximum wait for all its attempts together", async () => {
    const fixture = runFixture(["a"]);
    const task = script(new HttpError(429, { "retry-after": "4" })).task;
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
      const { task, providers } = script(ending, "served");
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
  it("the retry budget limits the retries of all calls together", async () => {
    const fixture = runFixture(["a", "b"], {
      retryBudget: { ratio: 0, perMinute: 3 },
      health: { cooldownTriggerCount: 100, penalty5xx: 0 },
    });
    const calls = Array.from({ length: 5 }, () =>
      refusalOf(fixture.limiter.run("chat", script(new HttpError(500)).task)),
    );
    const errors = await Promise.all(calls);
    expect(errors.map(({ kind }) => kind).sort()).toEqual([
      ...["attempts_failed", "attempts_failed", "attempts_failed"],
      ...["retry_budget", "retry_budget"],
    ]);
    expect(errors.find(({ kind }) => kind === "retry_budget")).toMatchObject({
      attempts: { length: 1 },
      cause: { status: 500 },
    });
    await fixture.clock.advanceMsAsync(61_000);
    expect((await refusalOf(fixture.limiter.run("chat", script(new HttpError(500)).task))).kind).toBe(
      "attempts_failed",
    );
  });

  it("the retry budget grows with the number of requests", async () => {
    const fixture = runFixture(["a", "b"], {
      retryBudget: { ratio: 0.1, perMinute: 0 },
      health: { cooldownTriggerCount: 100, penalty5xx: 0 },
    });
    for (let i = 0; i < 19; i++) await fixture.limiter.run("chat", () => 1);
    const retried = () =>
      fixture.limiter.run("chat", script(new HttpError(500), 1).task).then(
        () => true,
        () => false,
      );
    expect([await retried(), await retried(), await retried()]).toEqual([true, true, true]);
    expect(await retried()).toBe(false);
  });

  it("a refusal does not draw on the retry budget while another provider was not tried", async () => {
    const { limiter } = runFixture(["a", "b"], { retryBudget: { ratio: 0, perMinute: 0 } });
    expect((await limiter.run("chat", script(new HttpError(429), 1).task)).provider).toBe("b");
    const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    expect((await limiter.run("chat", script(refused, 1).task)).provider).toBe("b");
    const failed = script(new HttpError(500), 1).task;
    expect(await refusalOf(limiter.run("chat", failed))).toMatchObject({ kind: "retry_budget" });
    const everywhere = limiter.run("chat", script(new HttpError(403)).task, { maxAttempts: 9 });
    expect(await refusalOf(everywhere)).toMatchObject({ kind: "retry_budget", attempts: { length: 2 } });
  });
});

describe("the classification of the caller", () => {
  it("classify can treat one value as a failure and read the usage of another", async () => {
    const fixture = runFixture([{ name: "a" }, { name: "b", limits: { tpm: 1_000 } }]);
    const answers = [{ error: "rate limit reached" }, { text: "hi", tokens: 70 }];
    const { value, attempts } = await fixture.limiter.run<"chat", { error?: string; tokens?: number }>(
      "chat",
      ({ attempt }) => answers[attempt - 1]!,
      {
        tokens: 100,
        classify: (result) => {
          if (!result.ok) return undefined;
          const { error, tokens } = result.value as { error?: string; tokens?: number };
          return error === undefined ? { usage: { tokens } } : "rate_limited";
        },
      },
    );
    expect(value).toBe(answers[1]);
    expect(attempts[0]).toMatchObject({ status: "rate_limited", error: answers[0] });
    expect(fixture.limiter.remainingQuota("b", "tokens")).toBe(930);
  });

  it("classify can treat an error as an error of the caller or as a success", async () => {
    for (const status of ["client_error", "success", "cancelled"] as const) {
      const fixture = runFixture();
      const error = new HttpError(500);
      expect(await rejection(fixture.limiter.run("chat", script(error).task, { classify: () => status }))).toBe(error);
      expect(settledStatuses(fixture)).toEqual([status]);
    }
  });

  it("an error thrown by classify is returned, and nothing is observed", async () => {
    const fixture = runFixture();
    const broken = new Error("typo in classify");
    const classify = () => {
      throw broken;
    };
    expect(await rejection(fixture.limiter.run("chat", () => 1, { classify }))).toBe(broken);
    expect(await rejection(fixture.limiter.run("chat", script(new HttpError(500)).task, { classify }))).toBe(broken);
    expect(settledStatuses(fixture)).toEqual(["cancelled", "cancelled"]);
    expectIdle(fixture);
  });

  it("an unknown classification has no effect on health and is counted", async () => {
    const fixture = runFixture();
    expect((await fixture.limiter.run("chat", () => 1, { classify: () => 777 })).value).toBe(1);
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(fixture.limiter.metrics.invalidUsages).toBe(1);
  });
});

describe("calls that cannot start", () => {
  it("a call rejects for an unknown capability, invalid options, a closed limiter or an empty capability", async () => {
    const { limiter } = runFixture();
    const task = vi.fn();
    expect(await rejection(limiter.run("chatt", task))).toSatisfy(UnknownCapability.is);
    expect(await rejection(limiter.run("chat", task, { tokens: Number.NaN }))).toSatisfy(InvalidConfig.is);
    expect(await rejection(limiter.run("chat", task, { retries: 3 } as never))).toSatisfy(InvalidConfig.is);
    const empty = new GrateLimiter({ providers: [{ name: "a", paused: true }], capabilities: { chat: ["a"] } });
    expect(await refusalOf(empty.run("chat", task))).toMatchObject({ kind: "refused", attempts: [] });
    limiter.close();
    expect(await rejection(limiter.run("chat", task))).toMatchObject({ code: "closed" });
    expect(task).not.toHaveBeenCalled();
  });

  it("closing the limiter lets a running task finish and starts no other", async () => {
    const fixture = runFixture();
    const ending = (thing: unknown) => () => {
      fixture.limiter.close();
      if (thing instanceof Error) throw thing;
      return thing;
    };
    expect((await fixture.limiter.run("chat", ending("done"))).value).toBe("done");
    const other = runFixture();
    const task = vi.fn(() => {
      other.limiter.close();
      throw new HttpError(500);
    });
    expect(await rejection(other.limiter.run("chat", task))).toMatchObject({ code: "closed" });
    expect(task).toHaveBeenCalledTimes(1);
    expectIdle(other);
  });
});
