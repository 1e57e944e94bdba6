// `run`: the task, its result, the observations of a call, and the errors of the caller.
import { describe, expect, it, vi } from "vitest";
import { GrateLimiter, InvalidConfig, UnknownCapability } from "../../../src/index.ts";
import {
  attemptSummary,
  expectIdle,
  HttpError,
  refusalOf,
  rejection,
  runFixture,
  scriptedTask,
  settledStatuses,
  watch,
} from "../../support/run-fixture.ts";

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
      attempts: [{ provider: "a", status: "success", waitedMs: 0, latencyMs: 0 }],
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
    expect(attemptSummary(attempts)).toEqual(["a client_error"]);
    expect(settledStatuses(fixture)).toEqual(["client_error"]);
  });

  it("a refusal by another limiter is not a failure of the provider", async () => {
    const fixture = runFixture();
    const inner = runFixture(["x", "y"]);
    const outer = fixture.limiter.run("chat", () =>
      inner.limiter.run("chat", () => Promise.reject(new HttpError(429)), { maxWaitMs: 0 }),
    );
    const error = await refusalOf(outer);
    expect(attemptSummary(error.attempts)).toEqual(["x rate_limited", "y rate_limited"]);
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
      expect(await rejection(fixture.limiter.run("chat", scriptedTask(error).task, { classify: () => status }))).toBe(
        error,
      );
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
    expect(await rejection(fixture.limiter.run("chat", scriptedTask(new HttpError(500)).task, { classify }))).toBe(
      broken,
    );
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
    const empty = new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: [] } });
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
