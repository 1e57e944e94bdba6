import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { instrument, type MetricObserver } from "../../../src/opentelemetry/index.ts";

/** Fake `Meter` of OpenTelemetry. */
function fakeMeter() {
  const callbacks = new Set<(observer: MetricObserver) => void>();
  const recorded: [string, number, object | undefined][] = [];
  return {
    callbacks,
    recorded,
    createHistogram: (name: string) => ({
      record: (value: number, labels?: object) => void recorded.push([name, value, labels]),
    }),
    createObservableCounter: (name: string) => ({ name }),
    createObservableGauge: (name: string) => ({ name }),
    addBatchObservableCallback: (callback: (observer: MetricObserver) => void) => void callbacks.add(callback),
    removeBatchObservableCallback: (callback: (observer: MetricObserver) => void) => void callbacks.delete(callback),
    collect(name: string) {
      const values: [object | undefined, number][] = [];
      const observe = (of: object, value: number, labels?: object) => {
        if ((of as { name: string }).name === `grate_limiter.${name}`) values.push([labels, value]);
      };
      for (const callback of [...callbacks]) callback({ observe });
      return values;
    },
  };
}

/** Fake `Tracer`, and a fake of the module `@opentelemetry/api`. */
function fakeTracing() {
  const ended: { name: string; parent: unknown; attributes: object; status: number }[] = [];
  const tracer = {
    startSpan(name: string, options: { attributes: object }, context: unknown) {
      const span = {
        name,
        parent: (context as { span?: { name: string } }).span?.name,
        attributes: { ...options.attributes },
        status: 0,
      };
      return {
        name,
        setAttributes: (attributes: object) => Object.assign(span.attributes, attributes),
        setStatus: ({ code }: { code: number }) => {
          span.status = code;
        },
        addEvent() {},
        end: () => ended.push(span),
      };
    },
  };
  const api = {
    context: { active: () => ({ span: { name: "caller" } }) },
    trace: { setSpan: (_context: never, span: never) => ({ span }) },
  };
  return { ended, tracer, api };
}

const oneProvider = (clock = new MockClock()) =>
  new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"] }, clock });

describe("OpenTelemetry metrics", () => {
  it("counts are observed, and durations are recorded in seconds", async () => {
    const meter = fakeMeter();
    const limiter = oneProvider();
    instrument(limiter, { meter });
    limiter.observe({ provider: "a", outcome: { status: 429, retryAfterMs: 2_000 } });
    expect(meter.recorded).toEqual([["grate_limiter.cooldown", 2, { limiter: "default", provider: "a" }]]);
    expect(limiter.tryAcquire("chat").granted).toBe(false);
    expect(meter.collect("refused")).toEqual([[{ limiter: "default", capability: "chat", reason: "cooldown" }, 1]]);
  });

  it("gauges of removed providers and of a stopped limiter end with one NaN", () => {
    const meter = fakeMeter();
    const limiter = oneProvider();
    const stop = instrument(limiter, { meter });
    const labels = { limiter: "default", provider: "a" };
    expect(meter.collect("health")).toEqual([[labels, 1]]);
    limiter.removeProvider("a");
    expect(meter.collect("health")).toEqual([[labels, Number.NaN]]);
    expect(meter.collect("health")).toEqual([]);
    stop();
    meter.collect("health");
    expect(meter.callbacks.size).toBe(0);
  });

  it("a second limiter of one name in one meter is an error until the first one stops", () => {
    const meter = fakeMeter();
    const stop = instrument(oneProvider(), { meter });
    expect(() => instrument(oneProvider(), { meter })).toThrow(/"default" is already in this meter/);
    stop();
    instrument(oneProvider(), { meter });
  });

  it("missing and invalid options are one error", () => {
    expect(() => instrument(oneProvider(), { name: 5 as never })).toThrow(/at least one is needed; name: must be/);
    const { tracer } = fakeTracing();
    expect(() => instrument(oneProvider(), { tracer })).toThrow(/^api: missing/);
  });
});

describe("OpenTelemetry spans", () => {
  it("a call is a child of the active span, and its attempts are its children", async () => {
    const { ended, tracer, api } = fakeTracing();
    const limiter = oneProvider();
    instrument(limiter, { tracer, api });
    await limiter.run("chat", () => "done", { label: "job" });
    expect(ended.map(({ name, parent, status }) => [name, parent, status])).toEqual([
      ["attempt a", "grate_limiter chat", 0],
      ["grate_limiter chat", "caller", 0],
    ]);
    expect(ended[1]!.attributes).toMatchObject({ "grate_limiter.label": "job", "grate_limiter.outcome": "value" });
  });

  it("a call that was refused immediately is one span with an error", async () => {
    const { ended, tracer, api } = fakeTracing();
    const limiter = oneProvider();
    limiter.removeProvider("a");
    instrument(limiter, { tracer, api });
    await expect(limiter.run("chat", () => "done", { maxWaitMs: 0 })).rejects.toThrow();
    expect(ended.map(({ name, status }) => [name, status])).toEqual([["grate_limiter chat", 2]]);
  });

  it("the spans of a call that never ends are ended by the stop, and a call from before has none", async () => {
    const { ended, tracer, api } = fakeTracing();
    const limiter = oneProvider();
    let finish = (_value: string) => {};
    const earlier = limiter.run("chat", () => new Promise<string>((resolve) => (finish = resolve)));
    await Promise.resolve();
    const stop = instrument(limiter, { tracer, api });
    finish("done");
    await earlier;
    expect(ended).toEqual([]);
    void limiter.run("chat", () => new Promise(() => {}));
    await new Promise((resolve) => setImmediate(resolve));
    stop();
    expect(ended).toHaveLength(2);
  });
});
