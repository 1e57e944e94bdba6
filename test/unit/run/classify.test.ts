// The classification of outcomes by the built-in rules and by the function of the caller.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EngineTime } from "../../../src/clock/engine-time.ts";
import {
  GrateLimiterError,
  MockClock,
  NoAvailableProviders,
  type RunDefaults,
  type TaskResult,
} from "../../../src/index.ts";
import { classifyBy } from "../../../src/run/classification/classify.ts";

const NOW = Date.UTC(2026, 9, 14, 15, 4, 5);
const time = new EngineTime(new MockClock({ startMs: 1_000, epochMs: NOW }));
const judged = (result: TaskResult, judge?: RunDefaults["classify"]) => classifyBy(judge, result, time.readEpoch);
const returned = (value: unknown) => judged({ ok: true, value });
const thrown = (error: unknown) => judged({ ok: false, error });
const error = (fields: object, message = "it failed") => Object.assign(new Error(message), fields);
const coded = (code: unknown) => error({ code });
const under = (...causes: readonly unknown[]) =>
  causes.reduceRight((cause, next) => Object.assign(next as Error, { cause }));

/** An error class of a client. Its instances have the name "Error". */
function classError(name: string, fields: object = {}, Base: new (message: string) => Error = Error) {
  const classes: { [name: string]: new (message: string) => Error } = { [name]: class extends Base {} };
  return Object.assign(new classes[name]!("Connection error."), fields);
}

describe("a returned value", () => {
  it.each([
    ["undefined", undefined],
    ["null", null],
    ["a text", "ok"],
    ["an object", { answer: 42 }],
    ["a status without ok", { status: 500 }],
    ["ok: true with a status", { ok: true, status: 500 }],
    ["a response", new Response("hello")],
  ])("%s is classified as a success", (_, value) => {
    expect(returned(value)).toMatchObject({ status: "success", neverConnected: false });
  });

  it.each([
    ["ok without a status", { ok: false, error: "no" }],
    ["a status that is a text", { ok: false, status: "429" }],
    ["an invalid status", { ok: false, status: 42 }],
    ["an opaque response", { ok: false, status: 0 }],
  ])("%s is no success, and is not recognized", (_, value) => {
    expect(returned(value)).toMatchObject({ status: "cancelled", isRecognized: false });
  });

  it("a redirect that is no success is handed back", () => {
    expect(returned({ ok: false, status: 304 })).toMatchObject({ status: "client_error", isRecognized: true });
  });

  it.each([
    [400, "client_error"],
    [401, "unauthorized"],
    [402, "quota_exhausted"],
    [403, "forbidden"],
    [404, "client_error"],
    [408, "timeout"],
    [413, "unsuitable"],
    [420, "rate_limited"],
    [421, "overloaded"],
    [425, "overloaded"],
    [430, "rate_limited"],
    [498, "overloaded"],
    [499, "overloaded"],
    [422, "client_error"],
    [429, "rate_limited"],
    [500, "server_error"],
    [502, "server_error"],
    [503, "overloaded"],
    [504, "timeout"],
    [529, "overloaded"],
  ])("a fetch response with %i is classified as %s, and so is an error that carries it", (status, expected) => {
    expect(returned(new Response(null, { status })).status).toBe(expected);
    expect(thrown(error({ status })).status).toBe(expected);
    expect(thrown(error({ statusCode: status })).status).toBe(expected);
    expect(thrown(error({ response: { status } })).status).toBe(expected);
    expect(thrown(error({ response: { statusCode: status } })).status).toBe(expected);
  });
});

describe("an error", () => {
  it.each([
    ["a typo", new TypeError("client.chatt is not a function")],
    ["an error", new Error("no such user")],
    ["a text", "429 Too Many Requests"],
    ["a number", 429],
    ["undefined", undefined],
    ["null", null],
    ["a symbol", Symbol("429")],
    ["a function", () => 429],
    ["a message that speaks of a status", new Error("server answered 500 internal server error")],
    ["a message that contains that of fetch", new TypeError("oops: fetch failed")],
    ["the message of fetch without a TypeError", new Error("fetch failed")],
    ["a status that is a text", error({ status: "429" })],
    ["a status that is no failure", error({ status: 200 })],
    ["an invalid status", error({ status: 600, statusCode: 999 })],
    ["a status that is NaN", error({ status: Number.NaN })],
    ["a code of something else", coded("ENOENT")],
    ["a code of a connection with the path of a file", error({ code: "EPIPE", path: "/tmp/fifo" })],
    ["a code that contains one", coded("XECONNRESETX")],
    ["a number as code", coded(23)],
    ["an abort that was not ours", new DOMException("aborted", "AbortError")],
    ["an abort of a client", classError("APIUserAbortError")],
    ["an abort over a failure", under(new DOMException("aborted", "AbortError"), coded("ECONNRESET"))],
    ["seventeen errors deep", under(...Array.from({ length: 16 }, () => new Error("x")), coded("ECONNREFUSED"))],
    ["a 401 of an inner error", under(new Error("x"), error({ status: 401 }))],
    ["a refusal of a limiter, whatever is under it", nestedRefusal()],
    ["a wrapped refusal of a limiter", error({ cause: nestedRefusal() })],
    ["a closed limiter", new GrateLimiterError("closed", "the limiter was closed")],
  ])("%s is classified as unknown", (_, thing) => {
    expect(thrown(thing)).toMatchObject({ status: "cancelled", neverConnected: false });
  });

  it.each([
    ["ECONNREFUSED", "server_error", true],
    ["ENOTFOUND", "server_error", true],
    ["EAI_AGAIN", "server_error", true],
    ["ENETUNREACH", "server_error", true],
    ["EHOSTUNREACH", "server_error", true],
    ["ECONNRESET", "server_error", false],
    ["EPIPE", "server_error", false],
    ["UND_ERR_SOCKET", "server_error", false],
    ["ERR_NETWORK", "server_error", false],
    ["ETIMEDOUT", "timeout", false],
    ["ESOCKETTIMEDOUT", "timeout", false],
    ["ECONNABORTED", "timeout", false],
    ["UND_ERR_CONNECT_TIMEOUT", "timeout", true],
    ["UND_ERR_HEADERS_TIMEOUT", "timeout", false],
    ["UND_ERR_BODY_TIMEOUT", "timeout", false],
  ])("an error with code %s is classified as %s, also as a cause two levels deep", (code, status, neverConnected) => {
    expect(thrown(coded(code))).toMatchObject({ status, neverConnected });
    expect(thrown(under(new TypeError("fetch failed"), coded(code)))).toMatchObject({ status, neverConnected });
    const deep = under(classError("APIConnectionError"), new TypeError("fetch failed"), coded(code));
    expect(thrown(deep)).toMatchObject({ status, neverConnected });
  });

  it.each([
    ["APIConnectionError", classError("APIConnectionError"), "server_error"],
    ["APIConnectionTimeoutError", classError("APIConnectionTimeoutError"), "timeout"],
    [
      "a class made from one",
      classError("MyError", {}, classError("APIConnectionTimeoutError").constructor as never),
      "timeout",
    ],
    [
      "a time-out over an abort",
      under(classError("APIConnectionTimeoutError"), new DOMException("", "AbortError")),
      "timeout",
    ],
    [
      "fetch of Bun",
      Object.assign(new TypeError("ECONNRESET"), { code: "ECONNRESET", path: "http://a/" }),
      "server_error",
    ],
    ["TimeoutError", new DOMException("timed out", "TimeoutError"), "timeout"],
    ["a plain object of that name", { name: "TimeoutError" }, "timeout"],
    ["fetch of Node and Deno", new TypeError("fetch failed"), "server_error"],
    ["a body that was cut", new TypeError("terminated"), "server_error"],
    ["fetch of Chrome", new TypeError("Failed to fetch"), "server_error"],
    ["fetch of Firefox", new TypeError("NetworkError when attempting to fetch resource."), "server_error"],
    ["fetch of Safari", new TypeError("Load failed"), "server_error"],
    ["fetch of workers", new TypeError("Network connection lost."), "server_error"],
  ])("%s is recognised by its name", (_, thing, status) => {
    expect(thrown(thing)).toMatchObject({ status, neverConnected: false });
  });

  it("an error is classified by the status of its cause", () => {
    const deep = under(
      new Error("chat failed"),
      new Error("wrapped"),
      error({ status: 429, headers: { "retry-after": "7" } }),
    );
    expect(thrown(deep)).toMatchObject({ status: "rate_limited", settlement: { retryAfterMs: 7_000 } });
  });

  it("an aggregate is classified by its last known error, and as unsent only if all errors are unsent", () => {
    const several = (...errors: unknown[]) => thrown(new AggregateError(errors));
    expect(several(coded("ECONNREFUSED"), coded("ECONNREFUSED"))).toMatchObject({
      status: "server_error",
      neverConnected: true,
    });
    expect(several(error({ status: 429 }), coded("ECONNREFUSED"))).toMatchObject({
      status: "server_error",
      neverConnected: false,
    });
    expect(several(error({ status: 500 }), error({ status: 429 }), new Error("?"))).toMatchObject({
      status: "rate_limited",
    });
    expect(several(new TypeError("typo"))).toMatchObject({ status: "cancelled" });
    expect(thrown(error({ errors: "none" }))).toMatchObject({ status: "cancelled" });
  });

  it("an error with insufficient_quota is an exhausted quota, whatever its status is", () => {
    const spent = { code: "insufficient_quota", type: "insufficient_quota" };
    expect(thrown(error({ status: 429, ...spent })).status).toBe("quota_exhausted");
    expect(
      thrown(error({ status: 429, type: "insufficient_quota", code: "project_spend_limit_exceeded" })).status,
    ).toBe("quota_exhausted");
    expect(thrown(error({ status: 401, error: { type: "insufficient_quota", code: 401 } })).status).toBe(
      "quota_exhausted",
    );
    expect(thrown(error({ statusCode: 429, data: { error: spent } })).status).toBe("quota_exhausted");
    expect(thrown(error({ status: 429, code: "rate_limit_exceeded", type: "requests" })).status).toBe("rate_limited");
    expect(thrown(error(spent)).status).toBe("quota_exhausted");
  });

  it("classification never throws, whatever the properties of the error do", () => {
    const throws = () => {
      throw new Error("trap");
    };
    const trapped = new Proxy(new Error("x"), { get: throws, getPrototypeOf: throws, has: throws, ownKeys: throws });
    expect(thrown(trapped).status).toBe("cancelled");
    expect(returned(trapped).status).toBe("success");
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(thrown(proxy).status).toBe("cancelled");
    const gettered = (name: string) => Object.defineProperty(error({ status: 429 }), name, { get: throws });
    for (const name of ["name", "headers", "responseHeaders", "response", "cause", "code", "type", "error", "data"]) {
      expect(thrown(gettered(name)).status).toBe("rate_limited");
    }
    expect(thrown(gettered("status")).status).toBe("cancelled");
    expect(thrown(Object.freeze(error({ status: 503 }))).status).toBe("overloaded");
    expect(thrown(Object.create(null)).status).toBe("cancelled");
    const circular = error({});
    expect(thrown(Object.assign(circular, { cause: circular })).status).toBe("cancelled");
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withMap: true, withSet: true, withDate: true }),
        (anything) => {
          const reported = [
            thrown(anything),
            thrown(error({ cause: anything })),
            thrown(error({ status: 429, headers: anything })),
          ];
          for (const { status, settlement } of [...reported, returned(anything)]) {
            expect(status).toBeTypeOf("string");
            expect(settlement.retryAfterMs ?? 0).toBeGreaterThanOrEqual(0);
          }
        },
      ),
    );
  });
});

describe("Retry-After", () => {
  const waits = (headers: unknown) => {
    const { retryAfterMs } = thrown(error({ status: 429, headers })).settlement;
    expect(thrown(error({ status: 429, responseHeaders: headers })).settlement.retryAfterMs).toBe(retryAfterMs);
    expect(thrown(error({ response: { status: 429, headers } })).settlement.retryAfterMs).toBe(retryAfterMs);
    expect(returned({ ok: false, status: 429, headers }).settlement.retryAfterMs).toBe(retryAfterMs);
    return retryAfterMs;
  };

  it.each([
    ["seconds", { "retry-after": "30" }, 30_000],
    ["a number", { "retry-after": 30 }, 30_000],
    ["fractions", { "retry-after": "2.5" }, 2_500],
    ["nothing", { "retry-after": "0" }, 0],
    ["spaces around", { "retry-after": " 5 " }, 5_000],
    ["milliseconds", { "retry-after-ms": "1500" }, 1_500],
    ["both: milliseconds", { "retry-after": "1", "retry-after-ms": "500" }, 500],
    ["both, of which 0 states nothing", { "retry-after": "1", "retry-after-ms": "0" }, 1_000],
    ["invalid milliseconds", { "retry-after": "1", "retry-after-ms": "soon" }, 1_000],
    ["a date", { "retry-after": "Wed, 14 Oct 2026 15:05:35 GMT" }, 90_000],
    ["a date in the past", { "retry-after": "Wed, 14 Oct 2026 15:00:30 GMT" }, 0],
    [
      "a date by the server's own clock",
      { "retry-after": "Wed, 14 Oct 2026 15:00:30 GMT", date: "Wed, 14 Oct 2026 15:00:00 GMT" },
      30_000,
    ],
    ["a date beside an invalid one", { "retry-after": "Wed, 14 Oct 2026 15:05:35 GMT", date: "now" }, 90_000],
    ["other cases", { "Retry-After": "3" }, 3_000],
    ["shouting", { "RETRY-AFTER-MS": "3" }, 3],
    ["Headers", new Headers({ "Retry-After": "3" }), 3_000],
    ["a Map", new Map([["Retry-After", "3"]]), 3_000],
    ["pairs", [["retry-AFTER", "3"]], 3_000],
    ["a thing with get", { get: (name: string) => (name === "retry-after" ? "3" : null) }, 3_000],
    ["a list of values", { "retry-after": ["3"] }, 3_000],
    ["garbage", { "retry-after": "soon" }, undefined],
    ["an empty text", { "retry-after": "" }, undefined],
    ["a negative number", { "retry-after": "-5" }, undefined],
    ["hexadecimal", { "retry-after": "0x10" }, undefined],
    ["Infinity", { "retry-after": "Infinity" }, undefined],
    ["an invalid date", { "retry-after": "Wed, 14 Foo 2026 15:05:35 GMT" }, undefined],
    ["no headers", undefined, undefined],
    ["invalid headers", "retry-after: 3", undefined],
    ["headers without it", { "content-type": "text/html" }, undefined],
  ])("Retry-After is parsed: %s", (_, headers, expected) => {
    expect(waits(headers)).toBe(expected);
  });

  it("every date in Retry-After is parsed as the runtime parses it", () => {
    const date = fc.date({ min: new Date("1970-01-01"), max: new Date("2200-01-01"), noInvalidDate: true });
    fc.assert(
      fc.property(date, (at) => {
        const second = Math.floor(at.getTime() / 1_000) * 1_000;
        // The server's clock can be hours wrong, but not a day.
        const wait = (date: string) => waits({ "retry-after": at.toUTCString(), date });
        const server = NOW - 3_600_000;
        expect(wait(new Date(server).toUTCString())).toBe(Math.max(0, second - server));
        expect(wait("Thu, 01 Jan 1970 00:00:00 GMT")).toBe(Math.max(0, second - NOW));
      }),
    );
  });

  it("a date in Retry-After is relative to the wall clock at the time of reading", () => {
    const clock = new MockClock({ epochMs: NOW });
    const headers = { "retry-after": "Wed, 14 Oct 2026 15:05:35 GMT" };
    const later = new EngineTime(clock);
    clock.advanceMs(60_000);
    const verdict = classifyBy(undefined, { ok: false, error: error({ status: 429, headers }) }, later.readEpoch);
    expect(verdict.settlement.retryAfterMs).toBe(30_000);
  });
});

describe("the classification of the caller", () => {
  const limited = error({ status: 429, headers: { "retry-after": "3" } });
  const by = (reported: unknown, failure: unknown = limited) =>
    judged({ ok: false, error: failure }, (() => reported) as RunDefaults["classify"]);

  it("classify receives the result itself", () => {
    const result: TaskResult = { ok: false, error: limited };
    const asked: TaskResult[] = [];
    judged(result, (given) => {
      asked.push(given);
      return undefined;
    });
    expect(asked).toEqual([result]);
    expect(asked[0]).toBe(result);
  });

  it.each([undefined, null])("the built-in rules apply if classify returns %s", (reported) => {
    expect(by(reported)).toMatchObject({ status: "rate_limited", settlement: { retryAfterMs: 3_000 } });
  });

  it("classify can return a class, a code, or more, and stated waits are still parsed", () => {
    expect(by("overloaded")).toMatchObject({
      status: "overloaded",
      settlement: { status: "overloaded", retryAfterMs: 3_000 },
    });
    expect(by(503)).toMatchObject({ status: "overloaded", settlement: { status: 503, retryAfterMs: 3_000 } });
    expect(by({ status: 200, retryAfterMs: 1 })).toMatchObject({ status: "success", settlement: { retryAfterMs: 1 } });
    expect(by({ usage: { tokens: 5 } })).toMatchObject({
      status: "rate_limited",
      settlement: { status: "rate_limited", retryAfterMs: 3_000, usage: { tokens: 5 } },
    });
    expect(by({ status: "server_error" }, coded("ECONNREFUSED"))).toMatchObject({
      status: "server_error",
      neverConnected: true,
    });
    expect(by({ usage: {} }, new Error("?")).status).toBe("cancelled");
  });

  it("an unknown classification reaches the lease, which reports it", () => {
    expect(by(700)).toMatchObject({ status: "cancelled", settlement: { status: 700 } });
    expect(by("broken")).toMatchObject({ status: "cancelled", settlement: { status: "broken" } });
    expect(by(true)).toMatchObject({ status: "cancelled", settlement: { status: true } });
  });

  it("an error thrown by classify is thrown on", () => {
    const broken = new Error("typo");
    const judge = () => {
      throw broken;
    };
    expect(() => judged({ ok: true, value: 1 }, judge)).toThrow(broken);
  });
});

function nestedRefusal(): NoAvailableProviders {
  const refusal = { granted: false, retryAfterMs: null, retryAfterSeconds: null, reasons: [] } as const;
  return Object.assign(new NoAvailableProviders("inner", refusal), { cause: error({ status: 429 }) });
}
