import { createHash } from "node:crypto";
import {
  GrateLimiter,
  GrateLimiterError,
  type Lease,
  type LimiterEvents,
  NoAvailableProviders,
} from "../../../src/index.ts";
import { withLists } from "../with-lists.ts";
import { Calls, type Ended, type OpenCall } from "./calls.ts";
import { Encoder } from "./canonical.ts";
import { Configs, type ProfileName } from "./configs.ts";
import { limiterOptions, RecordingStrategy } from "./limiter-options.ts";
import { comparableInspection } from "./newer-fields.ts";
import { Random } from "./random.ts";
import { ScriptedError } from "./scripted-error.ts";
import type { Shares, Situation } from "./shares.ts";
import { promisesSettled, SteppedClock } from "./stepped-clock.ts";

/** The state of a lease as far as a caller can know it. */
export interface KnownLease {
  readonly lease: Lease;
  hasEnded: boolean;
  /** The configuration changed while it was open. */
  spansChange: boolean;
}

/** One random operation; returns or throws the limiter's answer. */
export interface Operation {
  readonly name: string;
  act(world: World): unknown;
}

export interface WorldHashes {
  readonly exact: string;
  readonly withoutBurn: string;
}

/** Is called with one line per operation. */
export type Log = (line: string) => void;

const EVENTS: readonly (keyof LimiterEvents)[] = [
  ...(["leaseGranted", "leaseSettled", "leaseExpired", "refused", "failover"] as const),
  ...(["cooldownStarted", "cooldownEnded", "providerDead", "providerRevived", "limitReached"] as const),
];
const ENDED_KEPT = 12;
const CALENDAR_EVERY = 20;
const CALENDAR_WORLD = 7;
const LONGEST_REVIEWED_MS = 1_200_000;

/** Enough of a SHA-256 to distinguish two texts. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** A limiter with random configuration, at a mock clock, and the operations that are performed on it. */
export class World {
  readonly random: Random;
  readonly configs: Configs;
  readonly clock: SteppedClock;
  readonly limiter: GrateLimiter;
  readonly calls: Calls;
  readonly strategy: RecordingStrategy | null;
  /** Leases that were given to the caller, by whether they are known to have ended. */
  readonly openLeases: KnownLease[] = [];
  readonly endedLeases: KnownLease[] = [];
  readonly #known = new Map<Lease, KnownLease>();
  readonly #situations = new Set<Situation>();
  readonly #shares: Shares | null;
  readonly #encoder = new Encoder();
  #answers = "";
  #burn = "";
  #events: unknown[] = [];

  constructor(number: number, profile: ProfileName, shares: Shares | null) {
    this.random = new Random(0x5eed + number * 7_919);
    const isCalendar = profile === "anticipatory" && number % CALENDAR_EVERY === CALENDAR_WORLD;
    this.configs = new Configs(this.random, profile, isCalendar ? (number - CALENDAR_WORLD) / CALENDAR_EVERY : null);
    this.#shares = shares;
    const { random } = this;
    // Just before midnight UTC or at a random instant, in the weeks in which clocks change.
    const [hour, minute] = random.chance(50) ? [23, 58] : [random.int(0, 23), random.int(0, 59)];
    const epochMs = Date.UTC(2026, random.int(2, 3), random.int(1, 31), hour, minute, 30);
    this.clock = new SteppedClock({ startMs: random.pick([0, 0, 1_234.5, -7_000, 1e9 + 0.125]), epochMs });
    const { capabilities = {}, ...options } = limiterOptions(this.configs);
    this.strategy = options.scoring instanceof RecordingStrategy ? options.scoring : null;
    // A list can name providers that are not registered, which the constructor rejects.
    this.limiter = withLists(new GrateLimiter({ ...options, clock: this.clock }), capabilities);
    this.calls = new Calls(this.limiter, this.configs, this.clock);
    for (const name of EVENTS) this.limiter.on(name, (event: object) => this.#told(name, event));
  }

  /** Performs an operation and adds its answer to the hash. */
  async perform(operation: Operation, log: Log | undefined, prefix: string): Promise<void> {
    const answer: { [key: string]: unknown } = {};
    this.#situations.clear();
    if (this.random.chance(40)) await this.advance();
    const openBefore = this.calls.open.size;
    try {
      answer["answer"] = operation.act(this);
    } catch (error) {
      this.#requireExpected(error);
      answer["threw"] = error;
      if (NoAvailableProviders.is(error)) this.#situations.add("refusal");
    }
    if (answer["answer"] instanceof Promise) answer["answer"] = await answer["answer"];
    await this.settle();
    if (this.calls.open.size > openBefore) this.#findQueued();
    answer["ended"] = this.calls.takeEnded().map((ended) => this.#end(ended));
    answer["at"] = this.clock.now();
    if (this.random.chance(10)) answer["inspection"] = this.#inspect();
    answer["events"] = this.#events;
    const { text, burn } = this.#encoder.encode(answer);
    this.#events = [];
    this.#answers += text;
    this.#burn += burn;
    log?.(`${prefix} ${operation.name} ${text}${burn && ` burn ${burn}`}`);
    if (this.#shares !== null) {
      this.#shares.operations++;
      for (const situation of this.#situations) this.#shares.count(situation);
    }
  }

  hashes(): WorldHashes {
    const withoutBurn = digest(this.#answers);
    return { exact: digest(withoutBurn + digest(this.#burn)), withoutBurn };
  }

  /** Moves the clock, in wake-ups or, where no promise could act in between, in one step. */
  async advance(): Promise<void> {
    const ms = this.#stepMs();
    if (ms < 0) this.clock.set(this.clock.now() + ms);
    else if (!this.calls.hasTasks && this.random.chance(30)) this.clock.advanceMs(ms);
    else await this.clock.advance(ms, () => this.settle());
    await this.settle();
  }

  /** Lets promises run, if there are any. */
  async settle(): Promise<void> {
    if (this.calls.open.size > 0) await promisesSettled();
  }

  involves(situation: Situation): void {
    this.#situations.add(situation);
  }

  /** The configuration changes: all open leases and calls are from before. */
  change(): void {
    this.involves("reconfiguration");
    for (const known of this.openLeases) known.spansChange = true;
    for (const call of this.calls.open) call.spansChange = true;
  }

  /** A lease that was granted to the caller, rather than to a task. */
  take(lease: Lease): void {
    const known = this.#knownOf(lease);
    if (!known.hasEnded) this.openLeases.push(known);
  }

  /** The caller has ended a lease. */
  leaseEnded(known: KnownLease): void {
    known.hasEnded = true;
    const place = this.openLeases.indexOf(known);
    if (place >= 0) this.openLeases.splice(place, 1);
    if (this.endedLeases.includes(known)) return;
    this.endedLeases.push(known);
    if (this.endedLeases.length > ENDED_KEPT) this.endedLeases.shift();
  }

  #stepMs(): number {
    const { random, configs } = this;
    const { paceMs } = configs;
    return random.weighted([
      [10, 0],
      [12, 1],
      [6, 0.125],
      [50, (paceMs * random.int(1, 40)) / 10],
      [16, paceMs * random.int(4, 12)],
      [3, this.#jumpMs()],
      [1, -(paceMs * random.int(1, 10)) / 10],
    ]);
  }

  /** About a window; not so long that a waiter looks at a quota hundreds of times. */
  #jumpMs(): number {
    const { random, configs } = this;
    const ms = configs.windowMs() * random.pick([0.5, 1, 1, 3.25]);
    return configs.hasReviews && this.calls.open.size > 0 ? Math.min(ms, LONGEST_REVIEWED_MS) : ms;
  }

  #told(name: keyof LimiterEvents, event: object): void {
    this.#events.push([name, event]);
    if (name === "refused") this.#situations.add("refusal");
    if (name === "leaseExpired" || name === "leaseSettled") {
      const known = this.#knownOf((event as { readonly lease: Lease }).lease);
      known.hasEnded = true;
      if (this.openLeases.includes(known)) this.leaseEnded(known);
    }
  }

  #knownOf(lease: Lease): KnownLease {
    let known = this.#known.get(lease);
    if (known === undefined) {
      known = { lease, hasEnded: false, spansChange: false };
      this.#known.set(lease, known);
    }
    return known;
  }

  /** Finds the calls of this operation that wait. */
  #findQueued(): void {
    for (const call of this.calls.open) {
      if (call.wasQueued || call.script?.isStarted) continue;
      call.wasQueued = true;
      if (this.#isNew(call)) this.#situations.add("waiting");
    }
  }

  #newest = -1;
  #isNew(call: OpenCall): boolean {
    const isNew = call.number > this.#newest;
    this.#newest = Math.max(this.#newest, call.number);
    return isNew;
  }

  #end({ call, isGranted, outcome }: Ended): unknown {
    if (!isGranted) this.#requireExpected(outcome);
    if (isGranted && call.kind === "acquire") this.take(outcome as Lease);
    if (NoAvailableProviders.is(outcome)) this.#situations.add("refusal");
    if (call.wasQueued && call.spansChange) this.#situations.add("reconfiguration");
    return [call.kind, call.number, isGranted ? "resolved" : "rejected", outcome];
  }

  #inspect(): unknown {
    const inspection = this.limiter.inspect();
    if (this.#shares !== null) this.#shares.inspections++;
    for (const { state } of inspection.providers) {
      if (state === "cooldown" || state === "trial") this.#situations.add(state);
    }
    return comparableInspection(inspection);
  }

  /** An error that neither the limiter nor a script throws is a mistake of this guard or of the engine. */
  #requireExpected(error: unknown): void {
    const isExpected = GrateLimiterError.is(error) || error instanceof ScriptedError || error === "aborted";
    const isTimeout = (error as { readonly name?: unknown } | null)?.name === "TimeoutError";
    const isNoStream = error instanceof TypeError && error.cause !== undefined;
    if (!isExpected && !isTimeout && !isNoStream) throw error;
  }
}
