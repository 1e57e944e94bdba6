// Nobody waits for what can no longer come, however long he would.
import { describe, expect, it } from "vitest";
import { Desk, rejection, turns } from "./desk.ts";

/** Two who wait, for different amounts, behind one who holds the only place. */
function waiting(maxWaitMs: number) {
  const one = new Desk({
    pools: { org: { limits: { tpm: 100 } } },
    providers: [{ name: "a", limits: { concurrency: 1 }, pools: ["org"] }],
    capabilities: { chat: ["a"] },
  });
  const lease = one.take({ tokens: 1 });
  return { one, lease, asked: [5, 6].map((tokens) => one.ask({ tokens, maxWaitMs })) };
}

describe.each([Number.POSITIVE_INFINITY, 120_000])("who would wait %s ms is refused at once", (maxWaitMs) => {
  const LOST: { readonly [how: string]: (one: Desk, lease: ReturnType<Desk["take"]>) => void } = {
    "its key is dead": (_, lease) => lease.settle({ status: 401 }),
    "it is paused": (one) => one.limiter.updateProvider("a", { paused: true }),
    "its limit is 0": (one) => one.limiter.updateProvider("a", { limits: { concurrency: 0 } }),
    "its pool's limit is too small": (one) => one.limiter.upsertPool({ name: "org", limits: { tpm: 4 } }),
    "it is removed": (one) => one.limiter.removeProvider("a"),
    "it is not listed any more": (one) => one.limiter.upsertCapability({ name: "chat", providers: ["b"] }),
    "the capability is gone": (one) => one.limiter.removeCapability("chat"),
  };

  it.each(Object.entries(LOST))("when %s", async (_, lose) => {
    const { one, lease, asked } = waiting(maxWaitMs);
    await one.later(10);
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    lose(one, lease);
    await turns();
    for (const each of asked) {
      rejection(each);
      expect(each.atMs).toBe(10);
    }
    expect(one.limiter.inspect().waiting).toEqual({});
    expect(one.clock.outstanding).toBe(0);
  });

  it("and not while a request in flight, or another provider, may help", async () => {
    const { one, lease, asked } = waiting(maxWaitMs);
    one.limiter.upsertCapability({ name: "chat", providers: ["a", "b"] });
    one.limiter.upsertProvider({ name: "b", paused: true });
    await turns();
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    one.limiter.updateProvider("b", { paused: false });
    await turns();
    expect(asked.map((each) => each.lease?.provider)).toEqual(["b", "b"]);
    lease.settle();
  });
});

describe("one signal for several who wait", () => {
  it("grants nobody what the others leave when it aborts", async () => {
    const one = new Desk({ providers: [{ name: "a", limits: { tpm: 1_000 } }], capabilities: { chat: ["a"] } });
    one.take({ tokens: 500 });
    const stop = new AbortController();
    const asked = [900, 10, 20].map((tokens) => one.ask({ tokens, signal: stop.signal }));
    const other = one.ask({ tokens: 30 });
    await one.later(10);
    expect(other.state).toBe("waiting");
    stop.abort("enough");
    await turns();
    expect(asked.map(({ state, error }) => [state, error])).toEqual(Array(3).fill(["rejected", "enough"]));
    expect(other.state).toBe("granted");
    expect(one.limiter.metrics.leasesGranted).toBe(2);
    expect(one.counted("tokens")).toBe(530);
  });
});
