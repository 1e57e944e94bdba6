// Requests that are not for a provider, and not its fault.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, InvalidConfig, MockClock, NoAvailableProviders, type StatusClass } from "../../../src/index.ts";
import { propertyRuns } from "../../support/test-effort.ts";

const NAMES = ["a", "b", "c"] as const;

function limiterOf(more: object = {}) {
  const clock = new MockClock();
  const providers = NAMES.map((name, place) => ({ name, limits: { rpm: 100, tpm: 1_000 }, priority: 10 - place }));
  const scoring = { quota: 0, health: 0, priority: 1, latency: 0 };
  return { clock, limiter: new GrateLimiter({ clock, providers, scoring, capabilities: { chat: NAMES }, ...more }) };
}

const failure = (status: StatusClass) => Object.assign(new Error(status), { status });
const classify = (result: { ok: boolean; error?: unknown; value?: unknown }) =>
  ((result.ok ? result.value : result.error) as { status: StatusClass }).status;

describe("an unsuitable outcome", () => {
  it("the next provider serves the request, and the first one loses neither health nor amounts", async () => {
    const { limiter } = limiterOf();
    const { provider, attempts } = await limiter.run(
      "chat",
      ({ provider }) => (provider === "a" ? new Response("too large", { status: 413 }) : "done"),
      { tokens: 70 },
    );
    expect([provider, attempts.map(({ status }) => status)]).toEqual(["b", ["unsuitable", "success"]]);
    expect(limiter.providerHealth("a")).toBe(1);
    expect(limiter.remainingQuota("a", "tokens")).toBe(1_000);
    expect(limiter.remainingQuota("a", "requests")).toBe(100);
    limiter.observe({ provider: "a", outcome: { status: "unsuitable" } });
    expect(limiter.remainingQuota("a", "requests")).toBe(100);
  });

  it("a call ends by the statuses of its providers as a reference model says", async () => {
    const status = fc.constantFrom<StatusClass>(
      "unsuitable",
      "unauthorized",
      "quota_exhausted",
      "success",
      "client_error",
    );
    await fc.assert(
      fc.asyncProperty(fc.tuple(status, status, status), fc.boolean(), async (statuses, throws) => {
        const { limiter } = limiterOf();
        const answers = statuses.map((status) => (status === "success" ? { status } : failure(status)));
        const cancelled: number[] = [];
        answers.forEach((answer, place) => {
          Object.assign(answer, { body: { cancel: async () => void cancelled.push(place) } });
        });
        const call = limiter.run(
          "chat",
          ({ provider }) => {
            const answer = answers[NAMES.indexOf(provider)]!;
            if (throws && answer.status !== "success") throw answer;
            return answer;
          },
          { classify },
        );
        const ended = await call.then(
          ({ value }) => ({ value }),
          (error: unknown) => ({ error }),
        );
        const final = statuses.findIndex((status) => status === "success" || status === "client_error");
        const place = final >= 0 ? final : statuses.every((status) => status === "unsuitable") ? 0 : -1;
        if (place < 0) {
          expect(NoAvailableProviders.is("error" in ended && ended.error)).toBe(true);
          return;
        }
        const isThrown = throws && statuses[place] !== "success";
        expect(ended).toEqual(isThrown ? { error: answers[place] } : { value: answers[place] });
        expect(isThrown ? "error" in ended && ended.error : "value" in ended && ended.value).toBe(answers[place]);
        // A body that the caller gets stays readable; all others are cancelled once.
        const others = throws ? [] : NAMES.map((_, i) => i).filter((i) => i !== place && (final < 0 || i < final));
        expect(cancelled.sort()).toEqual(others);
      }),
      { numRuns: propertyRuns(200) },
    );
  });

  it("a provider that was not asked and might serve later keeps the answer from being final", async () => {
    const { limiter } = limiterOf({ defaults: { maxWaitMs: 1_000 } });
    limiter.observe({ provider: "c", outcome: { status: "rate_limited", retryAfterMs: 50_000 } });
    const call = limiter.run("chat", () => new Response(null, { status: 413 }));
    await expect(call).rejects.toMatchObject({ code: "no_available_providers", kind: "attempts_failed" });
    limiter.updateProvider("c", { paused: true });
    expect((await limiter.run("chat", () => new Response(null, { status: 413 }))).value.status).toBe(413);
  });

  it("20 in a row for one provider and capability emit an event, and a success resets the count", async () => {
    const { limiter } = limiterOf();
    const emitted: unknown[] = [];
    limiter.on("repeatedlyUnsuitable", (event) => emitted.push(event));
    const settle = (status: StatusClass, times: number) => {
      for (let i = 0; i < times; i++) {
        const lease = limiter.tryAcquire("chat", { only: ["a"], tokens: 1 });
        if (lease.granted) lease.settle(status);
      }
    };
    settle("unsuitable", 19);
    settle("success", 1);
    settle("unsuitable", 19);
    settle("cancelled", 1);
    expect(emitted).toEqual([]);
    settle("unsuitable", 1);
    expect(emitted).toEqual([{ provider: "a", capability: "chat", count: 20 }]);
  });

  it("the classic profile does not know it, and its codes are client errors as before", () => {
    const limiter = new GrateLimiter({ profile: "classic", clock: new MockClock(), providers: [{ name: "a" }] });
    const observe = (status: StatusClass | number) => limiter.observe({ provider: "a", outcome: { status } });
    expect(() => observe("unsuitable")).toThrow(InvalidConfig);
    for (const code of [413, 420, 421, 425, 430, 498, 499]) observe(code);
    expect(limiter.providerHealth("a")).toBe(1);
    expect(limiter.providerInCooldown("a")).toBe(false);
  });
});
