// Signals that take no listeners.
import { expect, it } from "vitest";
import { LimiterFixture } from "../../support/limiter-fixture.ts";

it("a signal with an addEventListener that throws rejects its call and leaves nothing in the queue", async () => {
  const fixture = new LimiterFixture({
    maxWaitingPerKey: 1,
    providers: [{ name: "a", limits: { concurrency: 1 } }],
    capabilities: { chat: ["a"] },
  });
  const held = fixture.grant();
  const addEventListener = () => {
    throw new Error("no listeners");
  };
  const signal = { aborted: false, reason: undefined, addEventListener, removeEventListener() {} } as never;
  for (let call = 0; call < 3; call++) {
    const asked = fixture.acquire({ fairnessKey: "k", signal });
    await fixture.advance(1);
    expect(asked.error).toMatchObject({ message: "no listeners" });
  }
  expect(fixture.limiter.inspect().waiting).toEqual({});
  const good = fixture.acquire({ fairnessKey: "k" });
  await fixture.advance(1);
  held.settle();
  await fixture.advance(1);
  expect(good.state).toBe("granted");
});

it("a signal that cannot be read any more disturbs no other call", async () => {
  const fixture = new LimiterFixture({
    providers: [{ name: "a", limits: { concurrency: 1 } }],
    capabilities: { chat: ["a"] },
  });
  const held = fixture.grant();
  const { proxy, revoke } = Proxy.revocable(new AbortController().signal, {
    get: (_, key) => (key === "aborted" ? false : () => {}) as never,
  });
  const odd = fixture.acquire({ signal: proxy, maxWaitMs: 60_000 });
  const good = fixture.acquire({ maxWaitMs: 60_000 });
  await fixture.advance(1);
  revoke();
  expect(() => held.settle()).not.toThrow();
  await fixture.advance(1);
  expect(odd.state).toBe("granted");
  odd.lease?.settle();
  await fixture.advance(1);
  expect(good.state).toBe("granted");
});
