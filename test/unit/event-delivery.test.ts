// Delivery of events: synchronous, in order, and safe from errors of listeners.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Events } from "../../src/events.ts";

const REVIVED = { provider: "a" };
const rejections: unknown[] = [];
const onRejection = (reason: unknown) => rejections.push(reason);

beforeEach(() => {
  rejections.length = 0;
  process.on("unhandledRejection", onRejection);
});
afterEach(() => {
  process.off("unhandledRejection", onRejection);
});

const THEN = "then";

function thenable(then: (resolve: () => void, reject: (reason: Error) => void) => void): object {
  return { [THEN]: then };
}

function fail(): never {
  throw new Error("no");
}

function emit(events: Events): void {
  events.emit("providerRevived", REVIVED);
  events.flush();
}

describe("a listener", () => {
  it("a listener is called before flush returns", () => {
    const events = new Events({ listenerErrors: 0 });
    const heard: unknown[] = [];
    events.on("providerRevived", (event) => heard.push(event));
    emit(events);
    expect(heard).toEqual([REVIVED]);
  });

  it.each<[string, () => unknown]>([
    ["throws", fail],
    ["returns a promise that rejects", () => Promise.reject(new Error("no"))],
    ["is async and throws", async () => fail()],
    ["returns a thenable that rejects", () => thenable((_, reject) => reject(new Error("no")))],
    ["returns a thenable that throws", () => thenable(fail)],
    ["returns an object with a hostile then", () => Object.defineProperty({}, THEN, { get: fail })],
    ["returns null", () => null],
  ])("a listener that %s disturbs no other listener and causes no unhandled rejection", async (_, hostile) => {
    const events = new Events({ listenerErrors: 0 });
    const heard: string[] = [];
    events.on("providerRevived", hostile);
    events.on("providerRevived", () => heard.push("after"));
    expect(() => emit(events)).not.toThrow();
    expect(heard).toEqual(["after"]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(rejections).toEqual([]);
  });

  it("a listener that is registered twice is called twice, and each registration is removed separately", () => {
    const events = new Events({ listenerErrors: 0 });
    let calls = 0;
    const listener = () => {
      calls++;
    };
    const [first, second] = [events.on("providerRevived", listener), events.on("providerRevived", listener)];
    emit(events);
    expect(calls).toBe(2);
    first();
    first();
    emit(events);
    expect(calls).toBe(3);
    second();
    expect(events.hasListener("providerRevived")).toBe(false);
    const third = events.on("providerRevived", listener);
    second();
    expect(events.hasListener("providerRevived")).toBe(true);
    third();
  });

  it("a listener that is removed during an event still receives it, and one that is added does not", () => {
    const events = new Events({ listenerErrors: 0 });
    const heard: string[] = [];
    const offs: (() => void)[] = [];
    events.on("providerRevived", () => {
      heard.push("first");
      offs[0]!();
      events.on("providerRevived", () => heard.push("late"));
    });
    offs.push(events.on("providerRevived", () => heard.push("second")));
    emit(events);
    expect(heard).toEqual(["first", "second"]);
  });

  it("a listener receives events of its own calls after the current one, in one order for all listeners", () => {
    const events = new Events({ listenerErrors: 0 });
    const heard: string[] = [];
    events.on("providerDead", () => {
      emit(events);
      heard.push("dead 1");
    });
    events.on("providerDead", () => heard.push("dead 2"));
    events.on("providerRevived", () => heard.push("revived"));
    events.emit("providerDead", { provider: "a" });
    events.flush();
    expect(heard).toEqual(["dead 1", "dead 2", "revived"]);
  });

  it("a listener is not called again by a later flush", () => {
    const events = new Events({ listenerErrors: 0 });
    let calls = 0;
    events.on("providerRevived", () => {
      calls++;
    });
    emit(events);
    events.flush();
    events.flush();
    expect(calls).toBe(1);
  });
});

it("an event without a listener is dropped", () => {
  const events = new Events({ listenerErrors: 0 });
  events.emit("providerRevived", REVIVED);
  let calls = 0;
  events.on("providerRevived", () => {
    calls++;
  });
  events.flush();
  expect(calls).toBe(0);
});
