// Plays a scenario on a MockClock: callers with the default options of a limiter, and simulated providers. The report has the
// lost calls and the sent requests, and compares them with the oracle.

import { GrateLimiter, type GrateLimiterOptions, MockClock, NoAvailableProviders } from "../../../src/index.ts";
import { seededRandom } from "../seeded-random.ts";
import { brokenBooks } from "./books.ts";
import { oracleStarts } from "./oracle.ts";
import { type ProviderModel, type ReceivedRequest, SimulatedProvider } from "./simulated-provider.ts";

export type CallKind = "run" | "stream" | "map";

/** One request of a caller. Items of `map` have the arrival of the batch. */
export interface PlannedCall {
  readonly at: number;
  readonly capability: string;
  readonly isPoisonous?: boolean;
}

export interface ScenarioPlan {
  readonly seed: number;
  readonly kind: CallKind;
  /** In the order of their arrival. With `map`, those of one instant and capability are one batch. */
  readonly calls: readonly PlannedCall[];
  readonly patienceMs?: number | undefined;
  readonly models: readonly ProviderModel[];
  readonly declared: NonNullable<GrateLimiterOptions["providers"]>;
  readonly capabilities: { readonly [name: string]: readonly string[] };
  readonly options?: Partial<GrateLimiterOptions>;
  /** Options of every call. */
  readonly callOptions?: { readonly maxAttempts?: number; readonly idempotent?: boolean };
}

/** Outcome of one call. */
export interface CallReport {
  readonly index: number;
  readonly at: number;
  readonly isPoisonous: boolean;
  /** Instant at which the oracle serves it, and at which the oracle with notice does. */
  readonly oracleAt: number;
  readonly noticedAt: number;
  endedAt: number;
  isServed: boolean;
  error: string | null;
  /** Its requests that failed and may have done work. */
  countedFailures: number;
}

export interface ScenarioReport {
  readonly plan: ScenarioPlan;
  readonly calls: readonly CallReport[];
  readonly providers: ReadonlyMap<string, SimulatedProvider>;
  readonly sent: number;
  readonly refused: number;
  readonly endMs: number;
  /** Contradictions in the books of the limiter after the last call. */
  readonly broken: readonly string[];
}

/** Patience of a call without `maxWaitMs`. */
const DEFAULT_PATIENCE_MS = 60_000;
const LONGEST_MS = 24 * 3_600_000;

export async function playScenario(plan: ScenarioPlan): Promise<ScenarioReport> {
  const clock = new MockClock();
  const random = seededRandom(plan.seed);
  const serverRandom = seededRandom(plan.seed ^ 0x5eed);
  const providers = new Map(
    plan.models.map((model) => [model.name, new SimulatedProvider(clock, model, serverRandom)]),
  );
  const { declared, capabilities } = plan;
  const limiter = new GrateLimiter({ random, ...plan.options, clock, providers: declared, capabilities });
  const planned = plan.calls.map(({ at, capability }) => ({ at, providers: capabilities[capability]! }));
  const starts = oracleStarts(plan.models, planned);
  const noticed = oracleStarts(plan.models, planned, noticeMs(plan.models));
  const calls: CallReport[] = plan.calls.map(({ at, isPoisonous = false }, index) => ({
    ...{ index, at, isPoisonous, oracleAt: starts[index]!, noticedAt: noticed[index]!, countedFailures: 0 },
    ...{ endedAt: Infinity, isServed: false, error: null },
  }));
  let open = calls.length;
  const end = (index: number, error: unknown) => {
    const call = calls[index]!;
    call.endedAt = clock.now();
    call.isServed = error === undefined;
    call.error = error === undefined ? null : shortText(error);
    open--;
  };
  const options = { ...plan.callOptions, ...(plan.patienceMs !== undefined && { maxWaitMs: plan.patienceMs }) };
  const send = (provider: string, index: number) => providers.get(provider)!.send(index, calls[index]!.isPoisonous);
  const begin = START[plan.kind](limiter, send, options, end);
  for (const [at, group] of groups(plan)) {
    clock.wakeAt(at, () => {
      for (const [capability, indices] of group) void begin(capability, indices);
    });
  }
  while (open > 0 && clock.now() < LONGEST_MS) await clock.advanceMsAsync(1_000);
  const endMs = Math.max(0, ...calls.map(({ endedAt }) => (endedAt < Infinity ? endedAt : LONGEST_MS)));
  // Places of abandoned requests are free after that time.
  await clock.advanceMsAsync(2_000);
  const received = [...providers.values()].flatMap(({ log }) => log);
  for (const request of received) if (mayHaveDoneWork(request)) calls[request.call]!.countedFailures++;
  const broken = await brokenBooks(limiter, clock, received.length);
  return {
    ...{ plan, calls, providers, endMs, broken },
    sent: received.length,
    refused: received.filter(({ outcome }) => outcome.startsWith("429")).length,
  };
}

type Options = { readonly maxWaitMs?: number };
type Send = (provider: string, index: number) => Promise<string>;
type End = (index: number, error?: unknown) => void;
type Start = (
  limiter: GrateLimiter,
  send: Send,
  options: Options,
  end: End,
) => (capability: string, indices: readonly number[]) => Promise<void>;

const START: { readonly [kind in CallKind]: Start } = {
  run: (limiter, send, options, end) => async (capability, indices) => {
    for (const index of indices) {
      limiter
        .run(capability, ({ provider }) => send(provider, index), options)
        .then(
          () => end(index),
          (error: unknown) => end(index, error ?? "undefined"),
        );
    }
  },
  stream: (limiter, send, options, end) => async (capability, indices) => {
    const read = async (index: number) => {
      async function* chunks(provider: string) {
        yield await send(provider, index);
        yield "end";
      }
      const { value } = await limiter.stream(capability, ({ provider }) => chunks(provider), options);
      for await (const _ of value);
    };
    for (const index of indices) {
      read(index).then(
        () => end(index),
        (error: unknown) => end(index, error ?? "undefined"),
      );
    }
  },
  map: (limiter, send, options, end) => async (capability, indices) => {
    const results = limiter.map(capability, indices, (index, { provider }) => send(provider, index), options);
    for await (const result of results) end(result.item, result.ok ? undefined : (result.error ?? "undefined"));
  },
};

/** Groups the calls by arrival and capability. */
function groups({ calls }: ScenarioPlan): Map<number, Map<string, number[]>> {
  const byInstant = new Map<number, Map<string, number[]>>();
  for (const [index, { at, capability }] of calls.entries()) {
    const group = byInstant.get(at) ?? new Map<string, number[]>();
    byInstant.set(at, group);
    const indices = group.get(capability) ?? [];
    group.set(capability, indices);
    indices.push(index);
  }
  return byInstant;
}

function mayHaveDoneWork({ outcome }: ReceivedRequest): boolean {
  return outcome !== "ok" && outcome !== "open" && !outcome.startsWith("429");
}

function shortText(error: unknown): string {
  if (NoAvailableProviders.is(error)) return `${error.kind}: ${error.message}`.slice(0, 300);
  return String(error instanceof Error ? error.message : error).slice(0, 300);
}

/** Failures that may have done work after which a call with default options ends. */
export function maxAttemptsOf({ capabilities, calls }: ScenarioPlan, index: number): number {
  return Math.max(3, capabilities[calls[index]!.capability]!.length + 1);
}

/** Time after an outage in which a limiter must send again: 5 s, one latency, and the time of one failure. */
export function noticeMs(models: readonly ProviderModel[]): number {
  const answers = models.flatMap(({ latencyMs, faults }) => [latencyMs, ...faults.map(({ answerMs }) => answerMs)]);
  return 5_000 + Math.max(...answers);
}

/**
 * Calls that were lost although the oracle serves them in time: with notice if the caller has little patience, because only
 * the oracle knows the future. Calls that ended after `maxAttempts` counted failures, and poisonous ones, are not lost.
 */
export function lostCalls(report: ScenarioReport): CallReport[] {
  return unserved(report).filter((call) => !isExhausted(report, call));
}

/** Calls that ended after `maxAttempts` counted failures although the oracle serves them in time. */
export function exhaustedCalls(report: ScenarioReport): CallReport[] {
  return unserved(report).filter((call) => isExhausted(report, call));
}

function unserved({ plan, calls }: ScenarioReport): CallReport[] {
  const patienceMs = plan.patienceMs ?? (plan.kind === "map" ? Infinity : DEFAULT_PATIENCE_MS);
  return calls.filter(
    ({ at, oracleAt, noticedAt, isServed, isPoisonous }) =>
      !isServed && !isPoisonous && (patienceMs < DEFAULT_PATIENCE_MS ? noticedAt : oracleAt) <= at + patienceMs,
  );
}

function isExhausted({ plan }: ScenarioReport, { index, countedFailures }: CallReport): boolean {
  return countedFailures >= (plan.callOptions?.maxAttempts ?? maxAttemptsOf(plan, index));
}
