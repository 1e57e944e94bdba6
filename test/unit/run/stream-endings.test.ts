// `stream` never fails over after the first chunk. It ends with an error, an abort, a time-out, or because the consumer
// leaves it.
import { afterEach, describe, expect, it, vi } from "vitest";
import { expectIdle, HttpError, rejection, runFixture, settledStatuses, watch } from "../../support/run-fixture.ts";
import { readAll, Source, streamed } from "../../support/stream-fixture.ts";

const unhandled = vi.fn();

process.on("unhandledRejection", unhandled);

afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();
});

describe("after the first chunk", () => {
  it.each<[string, Error, string]>([
    [
      "a reset connection",
      Object.assign(new TypeError("terminated"), { cause: { code: "ECONNRESET" } }),
      "server_error",
    ],
    ["an overload", new HttpError(529), "overloaded"],
    ["an unknown error", new SyntaxError("Unexpected token"), "cancelled"],
  ])("%s after the first chunk is thrown unchanged and observed", async (_, error, status) => {
    for (const chunks of [1, 3]) {
      const fixture = runFixture();
      const source = new Source(fixture, ...Array.from({ length: chunks }, () => "x"), error);
      const { value } = await streamed(fixture, [source]);
      for (let i = 0; i < chunks; i++) expect(await value.next()).toEqual({ done: false, value: "x" });
      expect(await rejection(value.next())).toBe(error);
      expect(settledStatuses(fixture)).toEqual([status]);
      expect(await value.next()).toEqual({ done: true, value: undefined });
      // A source that threw has ended.
      expect(source.returned).toBe(0);
      expect(fixture.limiter.metrics.failovers).toBe(0);
      expectIdle(fixture);
    }
  });

  it("a source with a `next` that throws synchronously ends the stream with that error", async () => {
    const fixture = runFixture();
    const error = new HttpError(500);
    let pulls = 0;
    const next = () => {
      if (pulls++ > 0) throw error;
      return { done: false, value: "x" };
    };
    const { value } = await streamed(fixture, [{ [Symbol.asyncIterator]: () => ({ next }) }]);
    await value.next();
    expect(await rejection(value.next())).toBe(error);
    expect(settledStatuses(fixture)).toEqual(["server_error"]);
  });

  it("leaving a stream early cancels its lease, closes its source, and aborts its request", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 5 } }]);
    const source = new Source(fixture, "x", "y", "z");
    const { value } = await streamed(fixture, [source]);
    for await (const chunk of value) if (chunk === "y") break;
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source).toMatchObject({ returned: 1, pulled: 2, signal: { aborted: true } });
    expect(await value.next()).toEqual({ done: true, value: undefined });
    expect(await value.return!("again")).toEqual({ done: true, value: "again" });
    expect(source.returned).toBe(1);
    expectIdle(fixture);
  });

  it("a stream can be left before its first chunk is read", async () => {
    const fixture = runFixture();
    const source = new Source(fixture, "x");
    const { value } = await streamed(fixture, [source]);
    await value.return!();
    expect(await readAll(value)).toEqual([]);
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source.returned).toBe(1);
    expectIdle(fixture);
  });

  it("an error of the consumer closes the stream", async () => {
    const fixture = runFixture();
    const source = new Source(fixture, "x", "y");
    const error = new Error("the consumer's");
    const consume = async () => {
      for await (const _ of (await streamed(fixture, [source])).value) throw error;
    };
    expect(await rejection(consume())).toBe(error);
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source.returned).toBe(1);
  });

  it("a stream can be left while it waits for a chunk of a source that is busy", async () => {
    const fixture = runFixture();
    const source = new Source(fixture, "x", "hang");
    async function* relay() {
      yield* source;
    }
    const { value } = await fixture.limiter.stream("chat", ({ signal }) => {
      source.signal = signal;
      return relay();
    });
    await value.next();
    const pull = watch(value.next());
    await fixture.clock.advanceMsAsync(0);
    const left = watch(value.return!());
    await fixture.clock.advanceMsAsync(0);
    expect(left.value).toEqual({ done: true, value: undefined });
    expect(pull.value).toEqual({ done: true, value: undefined });
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source.signal!.aborted).toBe(true);
    expectIdle(fixture);
  });

  it("a stream can be left if its source has no `return`, or one that throws", async () => {
    const fixture = runFixture();
    const next = async () => ({ done: false, value: "x" });
    const bare = await streamed(fixture, [{ [Symbol.asyncIterator]: () => ({ next }) }]);
    await bare.value.return!();
    const error = new Error("cannot leave");
    const stubborn = {
      next,
      return() {
        throw error;
      },
    };
    const { value } = await streamed(fixture, [{ [Symbol.asyncIterator]: () => stubborn }]);
    expect(await rejection(value.return!())).toBe(error);
    expect(settledStatuses(fixture)).toEqual(["cancelled", "cancelled"]);
    expectIdle(fixture);
  });

  it("an abort during the wait for a chunk rejects the pull immediately", async () => {
    const fixture = runFixture();
    const controller = new AbortController();
    const source = new Source(fixture, "x", "hang");
    const { value } = await streamed(fixture, [source], { signal: controller.signal });
    await value.next();
    const pulls = [watch(value.next()), watch(value.next())];
    await fixture.clock.advanceMsAsync(50);
    controller.abort("gone");
    await fixture.clock.advanceMsAsync(0);
    expect(pulls[0]).toMatchObject({ state: "rejected", error: "gone" });
    expect(pulls[1]).toMatchObject({ state: "resolved", value: { done: true } });
    expect(settledStatuses(fixture)).toEqual(["cancelled"]);
    expect(source).toMatchObject({ returned: 1, signal: { aborted: true, reason: "gone" } });
    expectIdle(fixture);
  });

  it.each([0, 1, 2])(
    "an abort after %i pulled chunks, without a pending pull, frees the lease immediately, and the next pull throws",
    async (pulled) => {
      const fixture = runFixture();
      const controller = new AbortController();
      const source = new Source(fixture, "x", "y", "z");
      const { value } = await streamed(fixture, [source], { signal: controller.signal });
      for (let i = 0; i < pulled; i++) await value.next();
      controller.abort("gone");
      expect(settledStatuses(fixture)).toEqual(["cancelled"]);
      expect(source.returned).toBe(1);
      expect(await rejection(value.next())).toBe("gone");
      expect(await value.next()).toEqual({ done: true, value: undefined });
      expectIdle(fixture);
    },
  );

  it("leaving an aborted stream throws nothing", async () => {
    const fixture = runFixture();
    const controller = new AbortController();
    const source = new Source(fixture, "x", "y");
    const { value } = await streamed(fixture, [source], { signal: controller.signal });
    controller.abort("gone");
    expect(await value.return!()).toEqual({ done: true, value: undefined });
    expect(await value.next()).toEqual({ done: true, value: undefined });
    expect(source.returned).toBe(1);
  });

  it.each(["ends", "throws", "is left", "is aborted"])(
    "a stream listens to the abort signal until it %s, and not longer",
    async (how) => {
      const fixture = runFixture();
      const controller = new AbortController();
      const added = vi.spyOn(controller.signal, "addEventListener");
      const removed = vi.spyOn(controller.signal, "removeEventListener");
      const listening = () => added.mock.calls.length - removed.mock.calls.length;
      const steps = how === "throws" ? ["x", new HttpError(500)] : ["x", "y"];
      const { value } = await streamed(fixture, [new Source(fixture, ...steps)], {
        signal: controller.signal,
        timeoutMs: 60_000,
      });
      expect(listening()).toBe(1);
      if (how === "is left") await value.return!();
      else if (how === "is aborted") controller.abort();
      else await readAll(value).catch(() => {});
      expect(listening()).toBe(0);
    },
  );
});
