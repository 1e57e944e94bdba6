// Signals that take no listeners.
import { expect, it } from "vitest";
import { LimiterFixture } from "../../support/limiter-fixture.ts";

it("a signal whose addEventListener throws rejects its call and leaves nothing in the queue", async () => {
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
