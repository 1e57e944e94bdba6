// The answers of a working copy of the package, in any runtime and module format. Time comes from MockClock only, so
// the answers are the same everywhere.
import type * as GrateLimiterPackage from "grate-limiter";

/** The package, as one of its module formats exports it. */
export type Package = typeof GrateLimiterPackage;

/** One check and its failure, or null. */
export interface Answer {
  readonly question: string;
  readonly problem: string | null;
}

/** The last line that a run prints. */
export interface Report {
  readonly runtime: string;
  readonly version: string;
  /** The file from which the package was loaded. */
  readonly loaded: string;
  readonly exportedNames: readonly string[];
  readonly answers: readonly Answer[];
}

/** Runs all checks on one copy of the package. */
export function askAll(grate: Package): readonly Answer[] {
  return [
    ask("prefers the first provider, and says why", () => {
      const { limiter } = twoProviders(grate);
      const decision = limiter.select("chat");
      expectSame(decision.provider, "openai");
      expectSame(decision.waitMs, 0);
      expectSame(
        decision.alternatives.map((alternative) => alternative.provider),
        ["anthropic"],
      );
      const { quotaScore, healthScore, priorityScore, latencyScore } = decision.reasoning;
      expectNear(0.4 * quotaScore + 0.35 * healthScore + 0.2 * priorityScore + 0.05 * latencyScore, decision.score);
    }),
    ask("counts what was used, and forgets it when the window has passed", () => {
      const { limiter, clock } = twoProviders(grate);
      expectSame(limiter.remainingQuota("openai", "requests"), 100);
      limiter.observe({ provider: "openai", usage: { requests: 30 }, outcome: { status: "success" } });
      expectSame(limiter.remainingQuota("openai", "requests"), 70);
      clock.advanceSecs(61);
      expectSame(limiter.remainingQuota("openai", "requests"), 100);
    }),
    ask("goes elsewhere after three 429s, and returns when the cooldown is over", () => {
      const { limiter, clock } = twoProviders(grate);
      const events: string[] = [];
      limiter.on("cooldownStarted", ({ provider, durationMs }) => events.push(`${provider} rests ${durationMs}`));
      limiter.on("cooldownEnded", ({ provider }) => events.push(`${provider} is back`));
      for (let i = 0; i < 3; i++) {
        limiter.observe({ provider: "openai", outcome: { status: 429 } });
        clock.advanceSecs(1);
      }
      expectSame(limiter.providerInCooldown("openai"), true);
      expectSame(limiter.select("chat").provider, "anthropic");
      clock.advanceSecs(60);
      expectSame(limiter.providerInCooldown("openai"), false);
      expectSame(limiter.select("chat").provider, "openai");
      expectSame(events, ["openai rests 30000", "openai is back"]);
    }),
    ask("leaves a provider that a burst is about to exhaust", () => {
      const { limiter, clock } = twoProviders(grate);
      limiter.observe({ provider: "openai", usage: { requests: 90 }, outcome: { status: "success" } });
      clock.advanceSecs(5);
      expectSame(limiter.select("chat").provider, "anthropic");
    }),
    ask("answers as the ports in the classic profile", () => {
      const { limiter } = twoProviders(grate, "classic");
      expectSame(limiter.select("chat").provider, "openai");
      for (let i = 0; i < 3; i++) limiter.observe({ provider: "openai", outcome: { status: "rate_limited" } });
      expectSame(limiter.select("chat").provider, "anthropic");
    }),
    // The only part that depends on data of the runtime: its time zones.
    ask("resets a calendar quota at local midnight, across daylight saving", () => {
      const epochMs = Date.UTC(2025, 2, 29, 23, 30);
      const clock = new grate.MockClock({ epochMs });
      const limiter = new grate.GrateLimiter({
        providers: [
          {
            name: "sms",
            quotas: [{ dimension: "requests", limit: 5, window: { calendar: "day", timeZone: "Europe/Berlin" } }],
          },
        ],
        clock,
      });
      limiter.observe({ provider: "sms", usage: { requests: 5 }, outcome: { status: "success" } });
      expectSame(limiter.remainingQuota("sms", "requests"), 0);
      // It is 0:30 on a day of 23 hours.
      clock.set(22.5 * 3_600_000 - 1);
      expectSame(limiter.remainingQuota("sms", "requests"), 0);
      clock.set(22.5 * 3_600_000);
      expectSame(limiter.remainingQuota("sms", "requests"), 5);
    }),
    ask("lets providers draw from one pool, and counts every dimension", () => {
      const clock = new grate.MockClock();
      const limiter = new grate.GrateLimiter({
        providers: [
          { name: "key-a", limits: { tpm: 1_000 }, pools: ["organisation"] },
          { name: "key-b", pools: ["organisation"] },
        ],
        capabilities: { chat: ["key-a", "key-b"] },
        pools: { organisation: { limits: { rpm: 2 } } },
        clock,
      });
      const usage = { inputTokens: 300, outputTokens: 100 };
      limiter.observe({ provider: "key-a", usage, outcome: { status: grate.StatusClass.Success } });
      expectSame(limiter.remainingQuota("key-a", grate.Dimension.Tokens), 600);
      expectSame(limiter.remainingQuota("key-b", grate.Dimension.Requests, grate.Window.Minute), 1);
    }),
    ask("ranks by a strategy of one's own", () => {
      const limiter = new grate.GrateLimiter({
        providers: [
          { name: "dear", price: { usdPerRequest: 0.02 } },
          { name: "cheap", price: { usdPerRequest: 0.01 } },
        ],
        capabilities: { chat: ["dear", "cheap"] },
        scoring: { score: (context) => -(context.costMicroUsd ?? Number.POSITIVE_INFINITY) },
        clock: new grate.MockClock(),
      });
      expectSame(limiter.select("chat").provider, "cheap");
    }),
    ask("hands out data that survives JSON", () => {
      const { limiter } = twoProviders(grate);
      limiter.observe({ provider: "openai", outcome: { status: "success", latencyMs: 12.5 } });
      limiter.select("chat");
      const inspection = limiter.inspect();
      expectSame(JSON.parse(JSON.stringify(inspection)), inspection);
      expectSame(inspection.metrics.selects, 1);
      expectSame(inspection.metrics.observations, 1);
      expectSame(limiter.forecast("openai")?.[0]?.used, 1);
    }),
    ask("says what is wrong", () => {
      const { limiter } = twoProviders(grate);
      const unknown = thrownBy(() => limiter.select("chta" as "chat"));
      expectSame(grate.UnknownCapability.is(unknown) && unknown.capability, "chta");
      expectSame(grate.NoAvailableProviders.is(unknown), false);
      expectSame(String(unknown).includes('unknown capability "chta"'), true);

      const misspelt = { providers: [{ name: "a", limits: { rmp: 1 } }] } as object;
      const invalid = thrownBy(() => new grate.GrateLimiter(misspelt));
      expectSame(grate.InvalidConfig.is(invalid) && invalid.problems.length, 1);
      expectSame(invalid.name, "InvalidConfig");
      expectSame(invalid.message.includes('limits.rmp: unknown "rmp", did you mean "rpm"?'), true);

      limiter.observe({ provider: "openai", outcome: { status: 401 } });
      limiter.observe({ provider: "anthropic", outcome: { status: 401 } });
      const refused = thrownBy(() => limiter.select("chat"));
      expectSame(grate.NoAvailableProviders.is(refused) && refused.reasons.map(({ reason }) => reason), [
        "dead",
        "dead",
      ]);
      limiter.close();
      const closed = thrownBy(() => limiter.select("chat"));
      expectSame(grate.GrateLimiterError.is(closed) && closed.code, "closed");
    }),
    ask("runs on the runtime's own clock", () => {
      const limiter = new grate.GrateLimiter({
        providers: [{ name: "only", limits: { rps: 5 } }],
        capabilities: { chat: ["only"] },
      });
      limiter.observe({ provider: "only", outcome: { status: "success", latencyMs: 3 } });
      expectSame(limiter.select("chat").provider, "only");
      expectSame(limiter.remainingQuota("only", "requests"), 4);
    }),
  ];
}

/** Runs a check. An error of `body` is its failure. */
export function ask(question: string, body: () => void): Answer {
  try {
    body();
    return { question, problem: null };
  } catch (error) {
    return { question, problem: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

/** Throws unless both values are equal as JSON. */
export function expectSame(actual: unknown, expected: unknown): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

/** Returns the error of `body`. Throws if `body` does not throw an Error. */
export function thrownBy(body: () => void): Error {
  try {
    body();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("expected an error to be thrown");
}

/** Prints the results of a run, with the name that the runtime reports. */
export function report(grate: Package, loaded: string, answers: readonly Answer[]): void {
  // Bun and Deno also report a version of Node, so their own names are checked first.
  const { versions } = process;
  const runtime = ["bun", "deno", "node"].find((name) => versions[name] !== undefined) ?? "unknown";
  const file = loaded.slice(loaded.lastIndexOf("/") + 1);
  const exportedNames = Object.keys(grate).filter((name) => name !== "default" && name !== "module.exports");
  const found: Report = { runtime, version: versions[runtime] ?? "", loaded: file, exportedNames, answers };
  console.log(JSON.stringify(found));
}

function twoProviders(grate: Package, profile: "anticipatory" | "classic" = "anticipatory") {
  const clock = new grate.MockClock();
  const limiter = new grate.GrateLimiter({
    providers: [
      {
        name: "openai",
        quotas: [{ dimension: "requests", limit: 100, window: "minute" }],
        priority: 10,
        cooldownSeconds: 30,
      },
      {
        name: "anthropic",
        quotas: [{ dimension: "requests", limit: 80, window: "minute" }],
        priority: 8,
        cooldownSeconds: 30,
      },
    ],
    capabilities: { chat: ["openai", "anthropic"] },
    profile,
    clock,
  });
  return { limiter, clock };
}

function expectNear(actual: number, expected: number): void {
  if (!(Math.abs(actual - expected) <= 1e-12)) throw new Error(`expected ${expected}, got ${actual}`);
}
