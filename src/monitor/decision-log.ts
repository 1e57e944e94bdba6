import type { GrateLimiter, LimiterEvents } from "grate-limiter";
import {
  type DecisionDetails,
  type DecisionRow,
  FREQUENT_KINDS,
  KEPT_FREQUENT,
  KEPT_RARE,
  LISTED_PER_TICK,
} from "./message.ts";
import { reasonsOf, shortName, shortText } from "./rows.ts";

/** Fields of an event that say what it is about. */
type Subject = { readonly provider?: string; readonly capability?: string; readonly label?: string | null };

type EventName = keyof LimiterEvents;

const OTHERS_SHOWN = 2;

/**
 * The latest decisions of a limiter. It listens only after `start`. A kind of event that comes more often than a message can
 * list loses its listener until the next `renew`, so that a busy limiter does no work for the rest.
 */
export class DecisionLog {
  readonly #limiter: Pick<GrateLimiter, "on">;
  readonly #now: () => number;
  #lastId = 0;
  readonly #frequent: DecisionRow[] = [];
  readonly #rare: DecisionRow[] = [];
  /** Number of decisions of this tick by kind of event. */
  readonly #listed = new Map<EventName, number>();
  /** Functions that attach the listener of an event. */
  readonly #attach = new Map<EventName, () => void>();
  /** Functions that remove the attached listeners. */
  readonly #listeners = new Map<EventName, () => void>();

  constructor(limiter: Pick<GrateLimiter, "on">, now: () => number) {
    this.#limiter = limiter;
    this.#now = now;
  }

  /** Number of the latest decision. */
  get lastId(): number {
    return this.#lastId;
  }

  /** True if a kind of event came more often than a message can list since the last `renew`. */
  get isSampled(): boolean {
    return [...this.#listed.values()].some((listed) => listed === LISTED_PER_TICK);
  }

  /** Decisions after one number and until another, in their order. */
  between(after: number, until: number): readonly DecisionRow[] {
    const rows = [...this.#frequent, ...this.#rare].filter(({ id }) => id > after && id <= until);
    return rows.sort((a, b) => a.id - b.id);
  }

  /** Begins to listen. */
  start(): void {
    this.#listen("leaseGranted", ({ lease, waitedMs }) => {
      const { score, reasoning, alternatives } = lease.decision;
      const { quotaScore, healthScore, priorityScore, latencyScore } = reasoning;
      const parts = { quotaScore, healthScore, priorityScore, latencyScore };
      const others = alternatives.slice(0, OTHERS_SHOWN);
      const scores = others.map((other) => [shortText(other.provider), other.score] as const);
      return [lease, { kind: "granted", waitedMs, score, parts, others: scores }];
    });
    this.#listen("queued", (event) => [event, { kind: "queued", reasons: reasonsOf(event.reasons) }]);
    this.#listen("refused", (event) => {
      const { reasons, retryAfterMs } = event.refusal;
      return [event, { kind: "refused", reasons: reasonsOf(reasons), retryAfterMs }];
    });
    this.#listen("failover", ({ capability, from, to, status }) => {
      return [
        { provider: to, capability },
        { kind: "failover", from: shortText(from), status },
      ];
    });
    this.#listen("cooldownStarted", (event) => {
      return [event, { kind: "cooldownStarted", status: event.status, durationMs: event.durationMs }];
    });
    this.#listen("cooldownEnded", (event) => [event, { kind: "cooldownEnded" }]);
    this.#listen("providerDead", (event) => [event, { kind: "providerDead" }]);
    this.#listen("providerRevived", (event) => [event, { kind: "providerRevived" }]);
    this.#listen("leaseExpired", ({ lease }) => [lease, { kind: "leaseExpired" }]);
    this.#listen("unrecognizedOutcome", (event) => {
      return [event, { kind: "unrecognizedOutcome", name: event.name ?? event.className, code: event.code }];
    });
    this.#listen("repeatedlyUnsuitable", (event) => [event, { kind: "repeatedlyUnsuitable", count: event.count }]);
  }

  /** Lists all kinds again, with a new allowance for the next message. */
  renew(): void {
    const exhausted = [...this.#listed].filter(([, listed]) => listed === LISTED_PER_TICK);
    this.#listed.clear();
    for (const [name] of exhausted) this.#attach.get(name)?.();
  }

  /** Ends all listening. The decisions stay. */
  stop(): void {
    for (const remove of this.#listeners.values()) remove();
    this.#listeners.clear();
    this.#listed.clear();
    this.#attach.clear();
  }

  #listen<E extends EventName>(
    name: E,
    rowOf: (event: LimiterEvents[E]) => readonly [subject: Subject, details: DecisionDetails],
  ): void {
    const attach = () => {
      const remove = this.#limiter.on(name, (event) => {
        this.#add(...rowOf(event));
        const listed = (this.#listed.get(name) ?? 0) + 1;
        this.#listed.set(name, listed);
        if (listed === LISTED_PER_TICK) remove();
      });
      this.#listeners.set(name, remove);
    };
    this.#attach.set(name, attach);
    attach();
  }

  #add({ provider, capability, label }: Subject, details: DecisionDetails): void {
    const isFrequent = FREQUENT_KINDS.includes(details.kind);
    const rows = isFrequent ? this.#frequent : this.#rare;
    rows.push({
      ...details,
      id: ++this.#lastId,
      atMs: this.#now(),
      provider: shortName(provider ?? null),
      capability: shortName(capability ?? null),
      label: shortName(label ?? null),
    });
    if (rows.length > (isFrequent ? KEPT_FREQUENT : KEPT_RARE)) rows.shift();
  }
}
