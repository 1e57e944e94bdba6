import type {
  Answer,
  Fixture,
  FixtureCapability,
  FixtureConfig,
  FixtureProvider,
  ObserveStep,
  ProviderProbe,
  SelectAnswer,
  Step,
} from "../typescript/fixture.ts";
import { DIMENSIONS, WINDOWS } from "./declarations.ts";

const STATUSES = ["success", "client_error", "rate_limited", "forbidden", "server_error", "timeout"];
const USAGE = ["requests", "tokens", "bytes", "cost_micro_usd"] as const;
const PAUSES = ["0 ms", "below a second", "below a minute", "below an hour", "below a day", "days"] as const;

/** All kinds of things that must occur at least once in random scenarios. */
export const KINDS: readonly string[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((count) => `providers: ${count}`),
  ...[0, 1, 2, 3, 4].map((count) => `quotas: ${count}`),
  ...["0", "1", "2 to 1e8", "above 1e8", "1e12"].map((size) => `limit: ${size}`),
  ...DIMENSIONS.flatMap((dimension) => [...WINDOWS, "no window"].map((window) => `quota: ${dimension}, ${window}`)),
  "quota: dimension repeated",
  ...["empty", "missing provider", "repeated provider", "equal priorities"].map((what) => `capability: ${what}`),
  ...["priority 0 among others", "all priorities 0"].map((what) => `capability: ${what}`),
  ...STATUSES.map((status) => `status: ${status}`),
  ...USAGE.flatMap((field) => [`usage: ${field} given`, `usage: ${field} missing`]),
  ...["missing", "0", "up to 30,000", "30,000"].map((latency) => `latency: ${latency}`),
  ...PAUSES.map((pause) => `time: ${pause}`),
  ...["provider as it was", "provider changed", "provider new", "capability"].map((what) => `upsert: ${what}`),
  ...["capability selected", "provider observed", "provider asked for"].map((what) => `unknown: ${what}`),
  ...["half-life 0", "penalty 0", "penalty 1", "boost 0", "boost 1"].map((option) => `health: ${option}`),
  ...["trigger 0", "trigger 1", "multiplier 1", "multiplier below 1"].map((option) => `health: ${option}`),
  ...["minimum 0", "minimum 1", "longest cooldown 0"].map((option) => `health: ${option}`),
  ...["weights given", "weight 0"].map((option) => `scoring: ${option}`),
  ...["decision", "choice of two or more", "no available providers"].map((what) => `select: ${what}`),
  ...["in cooldown", "health below 1", "nothing remaining"].map((what) => `probe: ${what}`),
];

/** Kind of a selection between two or more eligible providers. */
export const CHOICE = "select: choice of two or more";

/** Number of occurrences of each kind, and number of answers. */
export class Occurrences {
  /** Number of answers, of all steps that read something. */
  answers = 0;
  readonly counts: Map<string, number> = new Map(KINDS.map((kind) => [kind, 0]));

  get missing(): string[] {
    return KINDS.filter((kind) => this.counts.get(kind) === 0);
  }

  /** Counts the kinds in a scenario and in its answers. */
  add(scenario: Fixture, answers: readonly Answer[]): void {
    const declared = new Map<string, FixtureProvider>();
    const providers = scenario.providers ?? [];
    const capabilities = scenario.capabilities ?? [];
    this.#count(`providers: ${providers.length}`);
    this.#config(scenario.config ?? {});
    for (const provider of providers) this.#provider(provider, declared);
    for (const capability of capabilities) this.#capability(capability, declared);
    const known = new Set(capabilities.map(({ name }) => name));
    for (const [place, step] of scenario.steps.entries()) this.#step(step, answers[place] ?? null, declared, known);
  }

  #count(kind: string, times = 1): void {
    const count = this.counts.get(kind);
    if (count === undefined) throw new Error(`no such kind: ${kind}`);
    this.counts.set(kind, count + times);
  }

  #countIf(isOne: boolean, kind: string): void {
    if (isOne) this.#count(kind);
  }

  #config({ health = {}, scoring, minimum_health_score: minimum }: FixtureConfig): void {
    const penalties = Object.entries(health).filter(([option]) => option.startsWith("penalty"));
    this.#countIf(health["decay_half_life_seconds"] === 0, "health: half-life 0");
    for (const penalty of [0, 1]) {
      const isThere = penalties.some(([, value]) => value === penalty);
      this.#countIf(isThere, `health: penalty ${penalty}`);
    }
    for (const boost of [0, 1]) this.#countIf(health["boost_success"] === boost, `health: boost ${boost}`);
    for (const trigger of [0, 1]) {
      this.#countIf(health["cooldown_trigger_count"] === trigger, `health: trigger ${trigger}`);
    }
    const multiplier = health["cooldown_multiplier"] ?? 2;
    this.#countIf(multiplier === 1, "health: multiplier 1");
    this.#countIf(multiplier < 1, "health: multiplier below 1");
    this.#countIf(health["max_cooldown_seconds"] === 0, "health: longest cooldown 0");
    for (const least of [0, 1]) this.#countIf(minimum === least, `health: minimum ${least}`);
    this.#countIf(scoring !== undefined, "scoring: weights given");
    this.#countIf(Object.values(scoring ?? {}).includes(0), "scoring: weight 0");
  }

  #provider(provider: FixtureProvider, declared: Map<string, FixtureProvider>): void {
    const quotas = provider.quotas ?? [];
    declared.set(provider.name, provider);
    this.#count(`quotas: ${quotas.length}`);
    this.#countIf(new Set(quotas.map(({ dimension }) => dimension)).size < quotas.length, "quota: dimension repeated");
    for (const { dimension, limit, window } of quotas) {
      this.#count(`quota: ${dimension}, ${window ?? "no window"}`);
      const size = limit < 2 ? String(limit) : limit > 1e8 ? "above 1e8" : "2 to 1e8";
      this.#count(`limit: ${size}`);
      this.#countIf(limit === 1e12, "limit: 1e12");
    }
  }

  #capability({ providers }: FixtureCapability, declared: ReadonlyMap<string, FixtureProvider>): void {
    if (providers.length === 0) {
      this.#count("capability: empty");
      return;
    }
    const names = new Set(providers.map(({ provider }) => provider));
    const priorities = providers.map(({ priority }) => priority);
    this.#countIf(
      [...names].some((name) => !declared.has(name)),
      "capability: missing provider",
    );
    this.#countIf(names.size < providers.length, "capability: repeated provider");
    this.#countIf(new Set(priorities).size < priorities.length, "capability: equal priorities");
    const isAllZero = priorities.every((priority) => priority === 0);
    this.#countIf(isAllZero, "capability: all priorities 0");
    this.#countIf(!isAllZero && priorities.includes(0), "capability: priority 0 among others");
  }

  #step(step: Step, answer: Answer, declared: Map<string, FixtureProvider>, known: ReadonlySet<string>): void {
    if (answer !== null || step.action.startsWith("check_")) this.answers++;
    switch (step.action) {
      case "advance_time_ms":
        this.#count(`time: ${pauseOf(step.ms)}`);
        break;
      case "upsert_provider": {
        const { action: _, ...provider } = step;
        const before = declared.get(step.name);
        const isSame = JSON.stringify(before?.quotas) === JSON.stringify(step.quotas);
        this.#count(`upsert: provider ${before === undefined ? "new" : isSame ? "as it was" : "changed"}`);
        this.#provider(provider, declared);
        break;
      }
      case "upsert_capability":
        this.#count("upsert: capability");
        this.#capability(step, declared);
        break;
      case "observe":
        this.#countIf(!declared.has(step.provider), "unknown: provider observed");
        this.#observation(step);
        break;
      case "select":
        this.#countIf(!known.has(step.capability), "unknown: capability selected");
        this.#selection(answer as SelectAnswer | { error: string });
        break;
      case "probe":
        for (const probe of answer as readonly ProviderProbe[]) this.#probe(probe);
        break;
      case "check_metrics":
        break;
      default:
        this.#countIf(!declared.has(step.provider), "unknown: provider asked for");
    }
  }

  #observation(step: ObserveStep): void {
    this.#count(`status: ${step.status}`);
    for (const field of USAGE) this.#count(`usage: ${field} ${step[field] === undefined ? "missing" : "given"}`);
    const { latency_ms: latency } = step;
    const isUsual = latency !== undefined && latency > 0 && latency < 30_000;
    this.#count(
      `latency: ${latency === undefined ? "missing" : isUsual ? "up to 30,000" : latency.toLocaleString("en")}`,
    );
  }

  #selection(answer: SelectAnswer | { error: string }): void {
    if ("error" in answer) {
      this.#countIf(answer.error === "no_available_providers", "select: no available providers");
    } else {
      this.#count("select: decision");
      const isChoice = answer.alternatives.some(([name]) => name !== answer.provider);
      this.#countIf(isChoice, CHOICE);
    }
  }

  #probe({ health, in_cooldown: inCooldown, remaining }: ProviderProbe): void {
    this.#countIf(inCooldown === true, "probe: in cooldown");
    this.#countIf(health !== null && health < 1, "probe: health below 1");
    this.#countIf(Object.values(remaining).includes(0), "probe: nothing remaining");
  }
}

function pauseOf(ms: number): (typeof PAUSES)[number] {
  const places = [1, 1e3, 60e3, 3_600e3, 86_400e3, Number.POSITIVE_INFINITY];
  return PAUSES[places.findIndex((end) => ms < end)]!;
}
