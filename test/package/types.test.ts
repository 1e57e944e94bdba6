// The snippets that compile and those that do not, and the documented list of public names.
import { describe, expect, it } from "vitest";
import { compile } from "../support/snippet-compiler.ts";

const TYPED = `import { GrateLimiter, Dimension, StatusClass, Window } from "../../src/index.ts";
const limiter = new GrateLimiter({
  providers: [
    { name: "openai", limits: { rpm: 500, concurrency: 20 }, priority: 10 },
    { name: "anthropic", quotas: [{ dimension: Dimension.Requests, limit: 300, window: Window.Minute }] },
    { name: "mistral", quotas: [{ dimension: "tokens", limit: 5, window: { calendar: "day", timeZone: "UTC" } }] },
  ],
  capabilities: { chat: ["openai", { provider: "anthropic", priority: 3 }], embed: ["mistral"] },
});
`;

const SNIPPETS = {
  "names.ts": `${TYPED}
limiter.select("chat");
limiter.select("chatt"); // error
limiter.select("chat", { only: ["openai"], exclude: ["anthropic"] });
limiter.select("chat", { only: ["opnai"] }); // error
limiter.observe({ provider: "openai", outcome: { status: 200 } });
limiter.observe({ provider: "opnai", outcome: { status: 200 } }); // error
limiter.observe({ provider: "openai", outcome: { status: StatusClass.Success, latencyMs: 5 } });
limiter.observe({ provider: "openai", outcome: { status: "sucess" } }); // error
limiter.providerHealth("mistral");
limiter.providerHealth("mistrall"); // error
limiter.providerInCooldown("opnai"); // error
limiter.remainingQuota("openai", "requests", "minute");
limiter.remainingQuota("openai", "request"); // error
limiter.remainingQuota("openai", "requests", "week"); // error
limiter.forecast("opnai"); // error
limiter.reviveProvider("opnai"); // error
limiter.updateProvider("opnai", {}); // error
limiter.updateProvider("openai", { limits: { rpm: null, tpm: 5 }, weight: undefined });
limiter.updateProvider("openai", { name: "other" }); // error
limiter.upsertProvider({ name: "openai", limits: { rpm: undefined } });
limiter.upsertProvider({ name: "openai", limits: { rpm: null } }); // error
limiter.upsertProvider({ name: "opnai" }); // error
limiter.upsertCapability({ name: "chat", providers: ["mistral"] });
limiter.upsertCapability({ name: "chatt", providers: ["mistral"] }); // error
limiter.upsertCapability({ name: "chat", providers: ["opnai"] }); // error
limiter.removeCapability("embed");
limiter.removeCapability("embd"); // error
`,
  "declared.ts": `import { GrateLimiter } from "../../src/index.ts";
new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["b"] } }); // error
new GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: [{ provider: "b" }] } }); // error
new GrateLimiter({ providers: [{ name: "a", limits: { rmp: 5 } }] }); // error
new GrateLimiter({ providers: [{ name: "a", quotas: [{ dimension: "requests", limit: 5 }] }] }); // error
new GrateLimiter({ providers: [{ name: "a", quotas: [{ dimension: "concurrency", limit: 5 }] }] });
new GrateLimiter({ profile: "modern" }); // error
new GrateLimiter({ profile: "classic", health: { penalty429: 0.3 }, scoring: { quota: 1 }, clock: undefined });
new GrateLimiter({ health: { penalty_429: 0.3 } }); // error
`,
  "narrowed.ts": `${TYPED}
const chat = limiter.select("chat");
const both: "openai" | "anthropic" = chat.provider;
const one: "openai" = chat.provider; // error
const embed: "mistral" = limiter.select("embed").provider;
const other: ("openai" | "anthropic")[] = chat.alternatives.map(({ provider }) => provider);
const clients = { openai: 1, anthropic: 2 };
const client: number = clients[chat.provider];
clients[limiter.inspect().providers[0]!.name]; // error
limiter.on("cooldownStarted", ({ provider, durationMs }) => {
  const named: "openai" | "anthropic" | "mistral" = provider;
  const short: "openai" = provider; // error
  durationMs.toFixed();
});
limiter.on("cooldownStart", () => {}); // error
chat.score = 5; // error
chat.reasoning.quotaScore = 5; // error
limiter.metrics.selects = 5; // error
const wait: number = chat.waitMs; // error
const health: number = limiter.providerHealth("openai"); // error
console; // error
export { both, one, embed, other, client, wait, health };
`,
  "plain.ts": `${TYPED}
const plain: GrateLimiter = limiter;
const ask = (any: GrateLimiter) => any.select("whatever", { only: ["whoever"] }).provider;
const answer: string = ask(limiter);
plain.observe({ provider: "whoever", outcome: { status: 200 } });
const open = new GrateLimiter();
open.upsertProvider({ name: "whoever" });
open.upsertCapability({ name: "whatever", providers: ["whoever", { provider: "other" }] });
const back: GrateLimiter = open;
const bare = new GrateLimiter({ providers: [{ name: "a" }] });
bare.providerHealth("a");
bare.providerHealth("b"); // error
const holders: { limiter: GrateLimiter }[] = [{ limiter }, { limiter: bare }, { limiter: open }];
export { answer, back, holders };
`,
  "config.json": JSON.stringify({
    providers: [
      { name: "openai", limits: { rpm: 500, tpm: 200_000 }, priority: 10, pools: ["org"] },
      { name: "anthropic", limits: { rpm: 300 }, cooldownSeconds: 30, price: { usdPerRequest: 0.01 } },
    ],
    pools: { org: { limits: { rpd: 10_000 } } },
    capabilities: { chat: ["openai", { provider: "anthropic", priority: 3 }] },
    health: { penalty429: 0.5 },
    minimumHealthScore: 0.3,
  }),
  "json.ts": `import { GrateLimiter, type GrateLimiterOptions } from "../../src/index.ts";
import config from "./config.json" with { type: "json" };
const limiter = new GrateLimiter(config);
const provider: string = limiter.select("chat").provider;
limiter.observe({ provider, outcome: { status: 200 } });
const plain: GrateLimiter = limiter;
const parsed = JSON.parse("{}") as GrateLimiterOptions;
const name: string = "any";
new GrateLimiter(parsed).select(name);
new GrateLimiter({ providers: [{ name, limits: { rpm: 5 } }], capabilities: { [name]: [name] } }).select(name);
export { plain };
`,
  "plug-ins.ts": `import {
  type Clock, GrateLimiter, MockClock, NoAvailableProviders, PriorityScorer, RealClock, type ScoringStrategy,
  UnknownCapability, WeightedScorer,
} from "../../src/index.ts";
const cheapest: ScoringStrategy = { score: ({ costMicroUsd }) => (costMicroUsd === null ? 0 : -costMicroUsd) };
const careless: ScoringStrategy = { score: ({ costMicroUsd }) => -costMicroUsd }; // error
const clock: Clock = { now: () => 5 };
for (const scoring of [cheapest, new PriorityScorer(new WeightedScorer({ quota: 1 })), { quota: 0.5 }]) {
  new GrateLimiter({ scoring, clock });
}
new GrateLimiter({ clock: new MockClock({ startMs: 5, epochMs: undefined }) });
new GrateLimiter({ clock: new RealClock(), scoring: undefined });
new GrateLimiter({ clock: { now: () => "5" } }); // error
const caught: unknown = 5;
if (NoAvailableProviders.is(caught)) {
  for (const reason of caught.reasons) {
    if (reason.reason === "too_large") reason.needed.toFixed();
    if (reason.reason === "cooldown") reason.needed; // error
  }
} else if (UnknownCapability.is(caught)) {
  const code: "unknown_capability" = caught.code;
  const other: "closed" = caught.code; // error
}
`,
};

const compiled = compile(SNIPPETS);

describe("types", () => {
  it.each(Object.keys(SNIPPETS).filter((name) => name.endsWith(".ts")))(
    "%s: the compiler reports the marked lines only",
    (name) => {
      const faults = compiled.faults(name);
      const lines = [...new Set(faults.map(({ line }) => line))].sort((a, b) => a - b);
      expect(lines, faults.map(({ line, message }) => `${line}: ${message}`).join("\n")).toEqual(compiled.marked(name));
    },
  );
});

const DUE_VALUES = [
  ...["Dimension", "GrateLimiter", "GrateLimiterError", "InvalidConfig", "MockClock", "NoAvailableProviders"],
  ...["PriorityScorer", "RealClock", "StatusClass", "UnknownCapability", "UnknownProvider", "WeightedScorer", "Window"],
  ...["classifyResult", "parseRetryAfter"],
];
const DUE_TYPES = [
  ...["Alternative", "Attempt", "CapabilityConfig", "CapabilityProvider", "Clock", "Decision", "GrateLimiterOptions"],
  ...[
    "HealthOptions",
    "Inspection",
    "KeyLimitsConfig",
    "LimiterEvents",
    "LimiterSnapshot",
    "Limits",
    "Metrics",
    "Observation",
    "Outcome",
    "PoolConfig",
  ],
  ...["Price", "ProviderConfig", "ProviderInspection", "ProviderPatch", "ProviderScoreContext", "QuotaConfig"],
  ...[
    "DialectName",
    "QueueGroup",
    "QueueInspection",
    "QuotaForecast",
    "QuotaState",
    "Refusal",
    "RefusalReason",
    "ScoreBreakdown",
    "ScoringStrategy",
  ],
  ...["ClientUsage", "ReportedUsage", "ScoringWeights", "SelectOptions", "Usage", "Verdict", "WindowSpec"],
];
/** Types that only running requests needs; some of them are already part of the options. */
const LATER_TYPES = [
  ...[
    "AcquireOptions",
    "FairnessOptions",
    "Lease",
    "CallEvent",
    "CallOutcome",
    "CloseOptions",
    "Explanation",
    "SharedStore",
    "StoreInspection",
    "KeptLease",
    "ReportedQuota",
    "ResponseReport",
    "MapOptions",
    "MapProgress",
    "MapResult",
    "MapResults",
    "RunDefaults",
    "RunOptions",
    "RunResult",
    "Settlement",
  ],
  ...["StreamOptions", "TaskContext", "TaskResult"],
];
const DUE_MEMBERS = [
  ...["close", "forecast", "inspect", "metrics", "observe", "on", "providerHealth", "providerInCooldown"],
  ...["providerQuotaRemaining", "remainingQuota", "removeCapability", "removeProvider", "reviveProvider", "select"],
  ...["updateProvider", "upsertCapability", "upsertPool", "upsertProvider"],
];
const LATER_MEMBERS = ["acquire", "flush", "map", "run", "snapshot", "stream", "explain", "tryAcquire"];

describe("the public list", () => {
  const exported = compiled.exports("../../src/index.ts");

  it("the package exports every documented value and no other", () => {
    const values = exported.filter(({ isValue }) => isValue).map(({ name }) => name);
    expect(values.sort()).toEqual(DUE_VALUES);
  });

  it("the package exports every documented type and no other", () => {
    const types = exported.filter(({ isValue }) => !isValue).map(({ name }) => name);
    expect(types).toEqual(expect.arrayContaining(DUE_TYPES));
    expect(types.filter((name) => !DUE_TYPES.includes(name) && !LATER_TYPES.includes(name))).toEqual([]);
  });

  it("the limiter has every documented method and no other, except later ones", () => {
    const members = compiled.members("../../src/index.ts", "GrateLimiter");
    expect(members).toEqual(expect.arrayContaining(DUE_MEMBERS));
    expect(members.filter((name) => !DUE_MEMBERS.includes(name) && !LATER_MEMBERS.includes(name))).toEqual([]);
  });
});
