// A TypeScript program that uses every name that the package exports (a check reads the list of imports). Every
// supported compiler compiles it with "lib": ["es2022"] and nothing else; then it is run and prints nothing.
import {
  type AcquireOptions,
  type Alternative,
  type Attempt,
  type CallEvent,
  type CallOutcome,
  type CapabilityConfig,
  type CapabilityProvider,
  type ClientUsage,
  type Clock,
  type CloseOptions,
  classifyResult,
  type Decision,
  type DialectName,
  Dimension,
  type Explanation,
  type FairnessOptions,
  GrateLimiter,
  GrateLimiterError,
  type GrateLimiterOptions,
  type HealthOptions,
  type Inspection,
  InvalidConfig,
  type KeptLease,
  type KeyLimitsConfig,
  type Lease,
  type LimiterEvents,
  type LimiterSnapshot,
  type Limits,
  type MapOptions,
  type MapProgress,
  type MapResult,
  type MapResults,
  type Metrics,
  MockClock,
  NoAvailableProviders,
  type Observation,
  type Outcome,
  type PoolConfig,
  type Price,
  PriorityScorer,
  type ProviderConfig,
  type ProviderInspection,
  type ProviderPatch,
  type ProviderScoreContext,
  parseRetryAfter,
  type QueueGroup,
  type QueueInspection,
  type QuotaConfig,
  type QuotaForecast,
  type QuotaState,
  RealClock,
  type Refusal,
  type RefusalReason,
  type ReportedQuota,
  type ReportedUsage,
  type ResponseReport,
  type RunDefaults,
  type RunOptions,
  type RunResult,
  type ScoreBreakdown,
  type ScoringStrategy,
  type ScoringWeights,
  type SelectOptions,
  type Settlement,
  type SharedStore,
  StatusClass,
  type StoreInspection,
  type StreamOptions,
  type TaskContext,
  type TaskResult,
  UnknownCapability,
  UnknownProvider,
  type Usage,
  type Verdict,
  WeightedScorer,
  Window,
  type WindowSpec,
} from "grate-limiter";

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`expected ${what}`);
}

// ---- names are inferred from the data of the constructor
const clock = new MockClock({ startMs: 0, epochMs: 1_700_000_000_000 });
const limiter = new GrateLimiter({
  providers: [
    { name: "openai", limits: { rpm: 500, tpm: 200_000, concurrency: 20 }, priority: 10 },
    { name: "anthropic", limits: { rpm: 300 }, pools: ["organisation"], priority: 8 },
    { name: "local" },
  ],
  capabilities: { chat: ["openai", { provider: "anthropic", priority: 9 }], embed: ["local"] },
  pools: { organisation: { limits: { usdPerDay: 50 } } },
  clock,
});
const chosen: Decision<"openai" | "anthropic"> = limiter.select("chat");
const narrowed: "openai" | "anthropic" = chosen.provider;
const single: "local" = limiter.select("embed", { only: ["local"] }).provider;
const alternatives: readonly Alternative<"openai" | "anthropic">[] = chosen.alternatives;
const parts: ScoreBreakdown = chosen.breakdown;
expect(narrowed === "openai" && single === "local" && alternatives.length === 1, "the first providers");
expect(parts === chosen.reasoning && chosen.waitMs === 0, "a decision that explains itself");
limiter.observe({ provider: narrowed, capability: "chat", usage: { tokens: 3 }, outcome: { status: 200 } });
expect(limiter.remainingQuota("openai", "tokens", "minute") === 199_997, "tokens to be counted");

// ---- a typed limiter is assignable to a limiter without known names
const plain: GrateLimiter = limiter;
expect(plain.providerHealth("nobody") === null, "null for an unknown name");
function report<P extends string, Routes extends Record<string, P>>(of: GrateLimiter<P, Routes>): Inspection<P> {
  return of.inspect();
}
const inspection: Inspection<"openai" | "anthropic" | "local"> = report(limiter);
const first: ProviderInspection<"openai" | "anthropic" | "local"> | undefined = inspection.providers[0];
expect(first?.name === "openai" && first.state === "available", "an inspection");
const metrics: Metrics = limiter.metrics;
expect(metrics.selects === 2 && inspection.metrics.observations === 1, "counters");

// ---- configuration as data with names that are unknown at compile time, such as JSON
interface Settings {
  providers: { name: string; limits: { rpm: number; tpm?: number }; priority?: number }[];
  capabilities: { [name: string]: string[] };
}
const settings: Settings = { providers: [{ name: "a", limits: { rpm: 5 } }], capabilities: { chat: ["a"] } };
const fromJson = new GrateLimiter(settings);
const anyone: string = fromJson.select("chat").provider;
expect(anyone === "a", "configuration from JSON to work");

// ---- configuration as typed data
const limits: Limits = { rps: 5, rpm: 100, rph: 1_000, rpd: 5_000, tph: 1, tpd: 1, itpm: 1, otpm: 1, usdPerHour: 1 };
const day: WindowSpec = { calendar: "day", timeZone: "Europe/Berlin" };
const quotas: readonly QuotaConfig[] = [
  { dimension: Dimension.Concurrency, limit: 4 },
  { dimension: Dimension.Requests, limit: 10, window: Window.Second, strategy: "token_bucket", burst: 20 },
  { dimension: "bytes", limit: 1e9, window: { seconds: 90 }, strategy: "fixed_window", resetEpochMs: 0 },
  { dimension: "output_tokens", limit: 1e6, window: day, countsAtEnd: true },
];
const everyDimension: Dimension[] = Object.values(Dimension);
const everyWindow: Window[] = [Window.Second, Window.Minute, Window.Hour, Window.Day];
const price: Price = { usdPerRequest: 0.001, usdPerMillionInputTokens: 3, usdPerMillionOutputTokens: 15 };
const provider: ProviderConfig<"a" | "b"> = { name: "a", limits, quotas, price, weight: 1, paused: false };
const keyLimits: KeyLimitsConfig = { rpm: 60, concurrency: 4, capabilities: { chat: { tpm: 1_000 } } };
const pool: PoolConfig = { name: "shared", limits: { rpm: 60 } };
const listed: CapabilityProvider<"a" | "b"> = { provider: "b", priority: 3 };
const capability: CapabilityConfig<"a" | "b"> & { name: "chat" } = { name: "chat", providers: ["a", listed] };
const health: HealthOptions = { decayHalfLifeSeconds: 300, penalty429: 0.25, cooldownThreshold: 0.1 };
const weights: ScoringWeights = { quota: 0.5, latency: 0 };
const options: GrateLimiterOptions<"a" | "b", { chat: "a" | "b" }> = {
  providers: [provider, { name: "b", cooldownSeconds: undefined }],
  health,
  keyLimits,
  scoring: weights,
  profile: "anticipatory",
  random: () => 0.5,
};
const declared = new GrateLimiter<"a" | "b", { chat: "a" | "b" }>(options);
declared.upsertPool(pool);
declared.upsertCapability(capability);
const patch: ProviderPatch = { limits: { rps: null, rpm: 50 }, pools: ["shared"], priority: 3 };
declared.updateProvider("a", patch);
declared.upsertProvider({ name: "b" });
declared.reviveProvider("b");
expect(declared.removeCapability("chat") && declared.removeProvider("b"), "something to remove");
expect(everyDimension.length === 7 && everyWindow.length === 4, "seven dimensions and four windows");

// ---- selecting and observing
const usage: Usage = { requests: 1, inputTokens: 100, outputTokens: 20, costMicroUsd: 5, bytes: 10 };
const needs: SelectOptions<"openai" | "anthropic"> = { ...usage, maxOutputTokens: 100, exclude: ["openai"] };
expect(limiter.select("chat", needs).provider === "anthropic", "the excluded to be left out");
const outcome: Outcome = { status: StatusClass.RateLimited, latencyMs: 1.5, retryAfterMs: 2_000 };
const observation: Observation<"openai" | "anthropic" | "local"> = { provider: "local", usage, outcome };
const seen: string[] = [];
const listener = (event: LimiterEvents<"openai" | "anthropic" | "local">["cooldownStarted"]): void => {
  const status: StatusClass = event.status;
  seen.push(`${event.provider} ${status} ${event.durationMs}`);
};
const off: () => void = limiter.on("cooldownStarted", listener);
limiter.observe(observation);
off();
expect(seen.join() === "local rate_limited 2000" && limiter.providerInCooldown("local") === true, "one event");
const dialect: DialectName | null | undefined = limiter.inspect().providers[0]?.dialect;
expect(dialect === null, "no dialect");
const forecast: readonly QuotaForecast[] | null = limiter.forecast("openai");
const used: number | undefined = forecast?.[0]?.used;
expect(used === 1, "a forecast");

// ---- options of attempts and their classification
const settlement: Settlement = { status: 503, usage, latencyMs: 20, retryAfterMs: 1_000 };
const judge = (result: TaskResult): StatusClass | Settlement | undefined =>
  result.ok ? undefined : result.error === null ? StatusClass.Cancelled : settlement;
const defaults: RunDefaults = { maxWaitMs: 5_000, maxAttempts: 2, idempotent: false, classify: judge };
expect(new GrateLimiter({ defaults }).metrics.selects === 0, "defaults to be taken");
expect(judge({ ok: false, error: undefined }) === settlement, "a judgement");
const verdict: Verdict = classifyResult({ ok: false, error: { status: 503 } }, () => 0);
expect(verdict.status === StatusClass.Overloaded && !verdict.neverConnected, "a verdict by the rules");
const waitMs: number | undefined = parseRetryAfter({ "retry-after": "3" }, () => 0);
expect(waitMs === 3_000, "a wait from headers");

// ---- errors
function thrownBy(body: () => void): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  throw new Error("expected an error");
}
const refused = thrownBy(() => limiter.select("embed"));
if (!NoAvailableProviders.is(refused)) throw new Error("expected NoAvailableProviders");
const reason: RefusalReason | undefined = refused.reasons[0];
const attempts: readonly Attempt[] = refused.attempts;
expect(reason?.reason === "cooldown" && attempts.length === 0 && refused.kind === "refused", "a reason");
function shortOf(why: RefusalReason): number {
  return why.reason === "quota" || why.reason === "concurrency" || why.reason === "too_large" ? why.needed : 0;
}
const refusal: Refusal = { granted: false, retryAfterMs: 1_500, retryAfterSeconds: 2, reasons: refused.reasons };
const own: GrateLimiterError = new NoAvailableProviders("chat", refusal);
expect(refusal.reasons.map(shortOf).join() === "0" && own.code === "no_available_providers", "an error of one's own");
const asked = thrownBy(() => plain.select("chta"));
expect(UnknownCapability.is(asked) && asked.capability === "chta", "UnknownCapability");
const named = thrownBy(() => plain.reviveProvider("nobody"));
expect(UnknownProvider.is(named) && named.provider === "nobody", "UnknownProvider");
const invalid = thrownBy(() => plain.upsertProvider({ name: "" }));
expect(InvalidConfig.is(invalid) && invalid.problems[0]?.path !== undefined, "InvalidConfig");
expect(GrateLimiterError.is(invalid) && invalid.code === "invalid_config" && invalid instanceof Error, "one family");

// ---- plug-ins
class CheapestFirst implements ScoringStrategy {
  score(context: ProviderScoreContext): number {
    return -(context.costMicroUsd ?? Number.POSITIVE_INFINITY);
  }
}
class StoppedClock implements Clock {
  now(): number {
    return 0;
  }
}
const clocks: readonly Clock[] = [new StoppedClock(), new RealClock(), clock];
const strategies: readonly ScoringStrategy[] = [
  new CheapestFirst(),
  new WeightedScorer({ quota: 1 }),
  new PriorityScorer(new CheapestFirst()),
  { score: (context) => context.quotaScore },
];
for (const scoring of strategies) {
  for (const someClock of clocks) {
    const made = new GrateLimiter({
      providers: [{ name: "x" }],
      capabilities: { c: ["x"] },
      scoring,
      clock: someClock,
    });
    const x: "x" = made.select("c").provider;
    expect(x === "x", "every plug-in to be taken");
    made.close();
  }
}

// ---- leases and tasks; values that are unknown at compile time are checked at run time
const acquiring: AcquireOptions<"left" | "right"> = { tokens: 10, maxWaitMs: 0, only: ["left"] };
const running: RunOptions<"left" | "right"> = { maxAttempts: 1, idempotent: false };
const streaming: StreamOptions<"left" | "right"> = { chunkTimeoutMs: 1_000 };
const mapping: MapOptions<number, "left" | "right"> = {
  concurrency: 2,
  needs: (item, index) => ({ tokens: item + index }),
};
const leased = new GrateLimiter({
  clock: new MockClock(),
  providers: [{ name: "left", limits: { rpm: 10, tpm: 1_000 } }, { name: "right" }],
  capabilities: { ask: ["left", "right"] },
});
const lease: Lease<"left" | "right"> | Refusal<"left" | "right"> = leased.tryAcquire("ask", { tokens: 10 });
if (lease.granted) lease.settle();
leased.acquire("ask", acquiring).then((granted) => granted.release());
const task = ({ provider, attempt }: TaskContext<"left" | "right">) => `${provider} ${attempt}`;
const served: Promise<RunResult<string, "left" | "right">> = leased.run("ask", task, running);
served.then(({ value }) => expect(value.endsWith(" 1"), "the first attempt to serve"));
const chunks = async function* (): AsyncGenerator<number> {
  yield 1;
};
leased.stream("ask", chunks, streaming).then(async ({ value }) => {
  for await (const chunk of value) expect(chunk === 1, "the one chunk");
});
const batch = async () => {
  for await (const result of leased.map("ask", [1, 2], (item) => item * 2, mapping)) {
    const served: MapResult<number, number, "left" | "right"> = result;
    expect(served.ok && served.value === 2 * served.item, "every item is served");
  }
};
batch();

// ---- fairness, explanations, batches, reported limits, closing
const fair: FairnessOptions = { fairnessKey: "tenant", fairnessWeight: 2 };
const explained: Explanation<"left" | "right"> = leased.explain("ask", { ...fair, tokens: 1 });
expect(explained.decision !== null && explained.refusal === null && explained.ahead === 0, "a free provider");
const queue: QueueInspection<"left" | "right"> = leased.inspect().queue;
const stored: StoreInspection | null = leased.inspect().store;
const noStore: SharedStore | undefined = undefined;
void [stored, noStore, leased.flush()];
const groups: readonly QueueGroup<"left" | "right">[] = queue.groups;
expect(queue.byKey.length + groups.length === 0 && queue.oldestMs === null, "nothing that waits");
const results: MapResults<number, number, "left" | "right"> = leased.map("ask", [1, 2], (item) => item, fair);
const progress: MapProgress = results.progress;
expect(progress.total === 2 && progress.completed === 0, "a batch that has not started");
const reported: ReportedQuota = { dimension: "requests", window: "minute", limit: 10, remaining: 5, resetMs: 1_000 };
const responseReport: ResponseReport = { reported: [reported] };
const cachedUsage: ReportedUsage = { inputTokens: 3, cachedInputTokens: 2 };
const clientUsage: ClientUsage = { prompt_tokens: 3, completion_tokens: 4 };
const keeping = leased.run("ask", ({ keep }) => keep(), { only: ["left"] });
const ended: (CallEvent & { outcome: CallOutcome })[] = [];
leased.on("callEnded", (event) => ended.push(event));
const quotaState: QuotaState = {
  dimension: "tokens",
  window: "minute",
  pool: null,
  limit: 10,
  remaining: 5,
  inFlight: 0,
};
expect(quotaState.remaining === 5, "the state of a quota");
const saved: LimiterSnapshot = leased.snapshot();
const restored = new GrateLimiter({ providers: [{ name: "left" }], snapshot: saved });
expect(restored.snapshot().version === 1, "a snapshot");
const closing: CloseOptions = { drain: true, timeoutMs: 1_000 };
keeping.then(async ({ value }) => {
  const kept: KeptLease = value;
  kept.headersReceived(responseReport);
  kept.report(clientUsage);
  kept.report(cachedUsage);
  kept.read();
  kept.settle("success");
  expect((await results.toArray()).length === 2, "two results");
  await leased.close(closing);
});
