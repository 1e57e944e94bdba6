// The errors: their messages, and how they are recognised across two copies of the package.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import * as here from "../../src/index.ts";
import {
  GrateLimiter,
  GrateLimiterError,
  InvalidConfig,
  MockClock,
  NoAvailableProviders,
  UnknownCapability,
  UnknownProvider,
} from "../../src/index.ts";
import { withLists } from "../support/with-lists.ts";

type ErrorClasses = Pick<
  typeof here,
  "GrateLimiterError" | "InvalidConfig" | "NoAvailableProviders" | "UnknownCapability" | "UnknownProvider"
>;

const CLASSES = {
  unknown_capability: UnknownCapability,
  unknown_provider: UnknownProvider,
  no_available_providers: NoAvailableProviders,
  invalid_config: InvalidConfig,
} as const;

function caught(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return expect.unreachable("nothing was thrown");
}

/** One error of each class and one plain GrateLimiterError, all thrown by a limiter. */
function oneOfEach(): { [code: string]: unknown } {
  const limiter = withLists(new GrateLimiter({ clock: new MockClock() }), { chat: ["ghost"] });
  const errors = {
    unknown_capability: caught(() => limiter.select("speech")),
    unknown_provider: caught(() => limiter.reviveProvider("nobody")),
    no_available_providers: caught(() => limiter.select("chat")),
    invalid_config: caught(() => limiter.upsertProvider({ name: "" })),
  };
  limiter.close();
  return { ...errors, closed: caught(() => limiter.select("chat")) };
}

/** Other copies of the error classes: the source loaded a second time, and the build if it exists. */
async function otherCopies(): Promise<[string, ErrorClasses][]> {
  const second = "../../src/errors.ts?second";
  const copies: [string, ErrorClasses][] = [["the source, loaded twice", await import(/* @vite-ignore */ second)]];
  const [esm, cjs] = ["../../dist/index.js", "../../dist/index.cjs"].map((path) => new URL(path, import.meta.url));
  if (existsSync(esm!)) copies.push(["dist/index.js", await import(/* @vite-ignore */ esm!.href)]);
  if (existsSync(cjs!)) copies.push(["dist/index.cjs", createRequire(import.meta.url)(cjs!.pathname)]);
  return copies;
}

const COPIES = await otherCopies();

describe("the static method `is`", () => {
  it.each<[string, ErrorClasses]>([["this copy", here], ...COPIES])("`is` recognises every error of %s", (_, other) => {
    const errors = Object.entries(oneOfEach());
    expect(errors).toHaveLength(5);
    for (const [code, error] of errors) {
      expect(other.GrateLimiterError.is(error), code).toBe(true);
      expect(other.UnknownCapability.is(error)).toBe(code === "unknown_capability");
      expect(other.UnknownProvider.is(error)).toBe(code === "unknown_provider");
      expect(other.NoAvailableProviders.is(error)).toBe(code === "no_available_providers");
      expect(other.InvalidConfig.is(error)).toBe(code === "invalid_config");
    }
  });

  it.each(COPIES)("`is` recognises an error of another copy, which instanceof does not: %s", (_, other) => {
    expect(other.GrateLimiterError).not.toBe(GrateLimiterError);
    expect(oneOfEach()["closed"]).not.toBeInstanceOf(other.GrateLimiterError);
    const foreign = new other.NoAvailableProviders("chat", {
      granted: false,
      retryAfterMs: 5,
      retryAfterSeconds: 1,
      reasons: [],
    });
    expect(NoAvailableProviders.is(foreign) && foreign.retryAfterMs).toBe(5);
    expect(GrateLimiterError.is(foreign)).toBe(true);
    expect(UnknownProvider.is(foreign)).toBe(false);
  });

  it("`is` returns false for every other value, however similar it is", () => {
    const strangers: unknown[] = [
      ...[null, undefined, 5, "unknown_provider", {}, [], new Error("x"), () => {}, Symbol("x"), 5n],
      ...[{ code: "unknown_provider", provider: "a" }, Object.assign(new Error("x"), { code: "invalid_config" })],
    ];
    for (const stranger of strangers) {
      for (const errorClass of [GrateLimiterError, ...Object.values(CLASSES)]) {
        expect(errorClass.is(stranger), `${errorClass.name}.is(${String(stranger)})`).toBe(false);
      }
    }
  });
});

describe("an error", () => {
  it("every error has its class, code, name and stack, and is an Error", () => {
    const { closed, ...others } = oneOfEach();
    for (const [code, error] of Object.entries(others)) {
      const errorClass = CLASSES[code as keyof typeof CLASSES];
      const { name } = errorClass;
      expect(error).toBeInstanceOf(errorClass);
      expect(error).toBeInstanceOf(GrateLimiterError);
      expect(error).toBeInstanceOf(Error);
      expect(error).toMatchObject({ code, name, stack: expect.stringContaining(name) });
    }
    expect(closed).toMatchObject({ code: "closed", name: "GrateLimiterError" });
  });

  it("errors can be distinguished by their code, without importing the class", () => {
    const codes = Object.values(oneOfEach()).map((error) => (error as { code: string }).code);
    expect(codes).toEqual([...Object.keys(CLASSES), "closed"]);
  });

  it("an error about an unknown name contains the quoted name and a suggestion", () => {
    const limiter: GrateLimiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "anthropic" }],
      capabilities: { "chat-completion": ["anthropic"] },
    });
    const unknown = caught(() => limiter.select("chat-compeltion"));
    expect(UnknownCapability.is(unknown) && unknown.capability).toBe("chat-compeltion");
    expect(unknown).toMatchObject({ message: expect.stringMatching(/"chat-compeltion".*"?chat-completion"?/) });
    const provider = caught(() => limiter.updateProvider("anthropc", {}));
    expect(UnknownProvider.is(provider) && provider.provider).toBe("anthropc");
    expect(provider).toMatchObject({ message: expect.stringMatching(/"anthropc".*"?anthropic"?/) });
  });

  it("an error about an unknown name suggests nothing if no similar name exists", () => {
    const limiter: GrateLimiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "anthropic" }],
      capabilities: { "chat-completion": ["anthropic"] },
    });
    for (const far of ["translate-speech", "x", ""]) {
      for (const call of [() => limiter.select(far), () => limiter.reviveProvider(far)]) {
        expect((caught(call) as Error).message).not.toMatch(/did you mean|null|undefined/);
      }
    }
    expect((caught(() => new GrateLimiter().select("any")) as Error).message).not.toMatch(
      /did you mean|null|undefined/,
    );
  });

  it("NoAvailableProviders can be constructed from a refusal, and its message contains the reason", () => {
    const reasons = [
      { provider: "a", reason: "cooldown", retryAfterMs: 1_200 },
      { provider: "b", reason: "paused", retryAfterMs: null },
    ] as const;
    const refusal = { granted: false, retryAfterMs: 1_200, retryAfterSeconds: 2, reasons } as const;
    const error = new NoAvailableProviders("chat", refusal);
    expect(error).toMatchObject({
      ...{ code: "no_available_providers", kind: "refused", capability: "chat", attempts: [] },
      ...{ retryAfterMs: 1_200, retryAfterSeconds: 2, reasons },
    });
    expect(error.message).toMatch(/chat.*"a" is in cooldown \(retry in 1\.2 s\); "b" is paused$/);
    expect(error.cause).toBeUndefined();
  });

  it("InvalidConfig holds its problems as data, and its message has one line per problem", () => {
    const error = caught(() => new GrateLimiter({ minimumHealthScore: 2, maxWaiting: -1 }));
    if (!InvalidConfig.is(error)) throw error;
    expect(error.problems.map(({ path }) => path).sort()).toEqual(["maxWaiting", "minimumHealthScore"]);
    for (const { path, expected, got } of error.problems) {
      expect(error.message).toContain(`${path}: expected ${expected}, got ${got}`);
    }
  });
});
