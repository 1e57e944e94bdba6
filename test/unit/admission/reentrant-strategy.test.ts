// A scoring strategy can call the limiter, also while the wait queue is being served.
import { describe, expect, it } from "vitest";
import type { GrateLimiter, ScoringStrategy } from "../../../src/index.ts";
import { type AcquireState, flushPromises, LimiterFixture } from "../../support/limiter-fixture.ts";

const ASKS: { readonly [what: string]: (limiter: GrateLimiter, provider: string) => unknown } = {
  providerHealth: (limiter, provider) => limiter.providerHealth(provider),
  forecast: (limiter, provider) => limiter.forecast(provider),
  inspect: (limiter) => limiter.inspect(),
  metrics: (limiter) => limiter.metrics,
  select: (limiter) => limiter.select("other"),
  observe: (limiter) => limiter.observe({ provider: "elsewhere", outcome: { status: "success" } }),
  "updateProvider, which frees capacity": (limiter) => limiter.updateProvider("elsewhere", { limits: { rpm: 100 } }),
};

describe.each(Object.keys(ASKS))("a strategy that calls %s", (what) => {
  it("does not change which waiter is served, or when", async () => {
    let isAsking = false;
    const scoring: ScoringStrategy = {
      score: ({ provider, capability }) => {
        // A strategy that is asked about another capability calls the limiter immediately.
        if (capability === "other" || isAsking) return 1;
        isAsking = true;
        ASKS[what]!(fixture.limiter, provider);
        isAsking = false;
        return 1;
      },
    };
    const fixture: LimiterFixture = new LimiterFixture({
      scoring,
      providers: [{ name: "a", limits: { concurrency: 1 } }, { name: "elsewhere" }],
      capabilities: { chat: ["a"], mail: ["a"], other: ["elsewhere"] },
    });
    let held = fixture.grant();
    const asked: AcquireState[] = [];
    for (const capability of ["chat", "mail", "chat", "mail"])
      asked.push(fixture.acquire({ maxWaitMs: 60_000 }, capability));
    for (const each of asked) {
      await fixture.advance(10);
      expect(each.state).toBe("waiting");
      held.settle();
      await flushPromises();
      expect(each.state).toBe("granted");
      held = each.lease!;
    }
    held.settle();
    expect(fixture.limiter.inspect().waiting).toEqual({});
    expect(fixture.limiter.inspect().providers[0]!.inFlight).toBe(0);
  });
});

describe("capacity that a strategy frees for a waiter that was already evaluated", () => {
  it("capacity that a strategy frees is granted without a further call", async () => {
    let once: (() => void) | null = null;
    const fixture: LimiterFixture = new LimiterFixture({
      scoring: {
        score({ provider }) {
          const act = once;
          if (provider !== "b" || act === null) return 1;
          once = null;
          act();
          return 1;
        },
      },
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const held = fixture.grant();
    fixture.grant({}, "mail");
    const [chat] = [fixture.acquire(), fixture.acquire({}, "mail")];
    once = () => held.settle();
    fixture.limiter.observe({ provider: "b", outcome: { status: "success" } });
    await fixture.advance(2);
    expect(chat!.state).toBe("granted");
  });
});

describe("capacity that a strategy frees while the queue is served", () => {
  it("capacity that a strategy frees during service goes to the waiter at the next call", async () => {
    const spare: { settle(): void }[] = [];
    const fixture: LimiterFixture = new LimiterFixture({
      scoring: {
        score() {
          spare.pop()?.settle();
          return 1;
        },
      },
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const [a, b] = [fixture.grant(), fixture.grant({}, "mail")];
    const [chat, mail] = [fixture.acquire(), fixture.acquire({}, "mail")];
    await fixture.advance(10);
    // Waiters are served in the order of arrival: "b" is served when its place becomes free while "a" is evaluated.
    spare.push(b);
    a.settle();
    await flushPromises();
    expect(chat.state).toBe("granted");
    fixture.limiter.providerHealth("a");
    await flushPromises();
    expect(mail.state).toBe("granted");
  });
});
