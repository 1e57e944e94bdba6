// A scoring strategy may ask the limiter in its turn, also while the line is being served.
import { describe, expect, it } from "vitest";
import type { GrateLimiter, ScoringStrategy } from "../../../src/index.ts";
import { type Asked, Desk, turns } from "../../support/limiter-fixture.ts";

const ASKS: { readonly [what: string]: (limiter: GrateLimiter, provider: string) => unknown } = {
  providerHealth: (limiter, provider) => limiter.providerHealth(provider),
  forecast: (limiter, provider) => limiter.forecast(provider),
  inspect: (limiter) => limiter.inspect(),
  metrics: (limiter) => limiter.metrics,
  select: (limiter) => limiter.select("other"),
  observe: (limiter) => limiter.observe({ provider: "elsewhere", outcome: { status: "success" } }),
  "updateProvider, which makes room": (limiter) => limiter.updateProvider("elsewhere", { limits: { rpm: 100 } }),
};

describe.each(Object.keys(ASKS))("a strategy that asks %s", (what) => {
  it("changes nothing of who is served, and when", async () => {
    let isAsking = false;
    const scoring: ScoringStrategy = {
      score: ({ provider, capability }) => {
        // Asked about another capability it answers at once.
        if (capability === "other" || isAsking) return 1;
        isAsking = true;
        ASKS[what]!(one.limiter, provider);
        isAsking = false;
        return 1;
      },
    };
    const one: Desk = new Desk({
      scoring,
      providers: [{ name: "a", limits: { concurrency: 1 } }, { name: "elsewhere" }],
      capabilities: { chat: ["a"], mail: ["a"], other: ["elsewhere"] },
    });
    let held = one.take();
    const asked: Asked[] = [];
    for (const capability of ["chat", "mail", "chat", "mail"]) asked.push(one.ask({ maxWaitMs: 60_000 }, capability));
    for (const each of asked) {
      await one.later(10);
      expect(each.state).toBe("waiting");
      held.settle();
      await turns();
      expect(each.state).toBe("granted");
      held = each.lease!;
    }
    held.settle();
    expect(one.limiter.inspect().waiting).toEqual({});
    expect(one.limiter.inspect().providers[0]!.inFlight).toBe(0);
  });
});

describe("what a strategy makes free for one that was looked at already", () => {
  it("is taken though no other call comes", async () => {
    let once: (() => void) | null = null;
    const one: Desk = new Desk({
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
    const held = one.take();
    one.take({}, "mail");
    const [chat] = [one.ask(), one.ask({}, "mail")];
    once = () => held.settle();
    one.limiter.observe({ provider: "b", outcome: { status: "success" } });
    await one.later(2);
    expect(chat!.state).toBe("granted");
  });
});

describe("what a strategy makes free while the line is served", () => {
  it("is taken by whoever waits for it, at the next call", async () => {
    const spare: { settle(): void }[] = [];
    const one: Desk = new Desk({
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
    const [a, b] = [one.take(), one.take({}, "mail")];
    const [chat, mail] = [one.ask(), one.ask({}, "mail")];
    await one.later(10);
    // Served in the order in which they came: the one for "b" when its place becomes free while "a" is looked at.
    spare.push(b);
    a.settle();
    await turns();
    expect(chat.state).toBe("granted");
    one.limiter.providerHealth("a");
    await turns();
    expect(mail.state).toBe("granted");
  });
});
