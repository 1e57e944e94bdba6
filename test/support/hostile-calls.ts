import { GrateLimiter, type GrateLimiterOptions } from "../../src/index.ts";

// Arguments of callers without a type checker and of broken upstreams. One random call at a time.

/** In place of a number: all kinds of other values, and extreme numbers. */
const ODD_NUMBERS: readonly unknown[] = [
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, -1, 1.5, 2 ** 53, 2 ** 53 - 1, 1e308, -1e308],
  ...[5e-324, "5", "", null, 5n, true, {}, [], undefined],
];

/** Names that are properties of every object, and names that are hard to print. */
const NAMES: readonly string[] = [
  ...["a", "b", "c", "__proto__", "constructor", "toString", "hasOwnProperty", "💥", "\ud800", " ", "n".repeat(300)],
];
const ODD_NAMES: readonly unknown[] = ["", "nobody", Number.NaN, 5, 5n, null, undefined, {}, [], Symbol("name")];

const LENGTHS: readonly unknown[] = [
  "second",
  "minute",
  "hour",
  "day",
  { seconds: 0.5 },
  { seconds: 90 },
  { seconds: 1e9 },
];
// Calendars are rarer, because every read of one costs a hundred times as much.
const WINDOWS: readonly unknown[] = [
  ...Array.from({ length: 4 }, () => LENGTHS).flat(),
  ...[{ calendar: "day" }, { calendar: "week", timeZone: "America/New_York" }, { calendar: "month" }],
];
const DIMENSIONS: readonly unknown[] = [
  ...["requests", "tokens", "input_tokens", "output_tokens", "concurrency", "cost_usd", "bytes"],
];
const STATUSES: readonly unknown[] = [
  ...["success", "rate_limited", "forbidden", "server_error", "timeout", "client_error", "unauthorized", "overloaded"],
  ...["quota_exhausted", "cancelled", 200, 429, 503, 404, 599, 100],
];
const ODD_STATUSES: readonly unknown[] = [
  "",
  "toString",
  "__proto__",
  0,
  600,
  1e308,
  Number.NaN,
  null,
  5n,
  undefined,
  {},
];

/** A clock with arbitrary readings. */
export class OddClock {
  nowAnswer: unknown = 0;
  epochAnswer: unknown = 1.7e12;

  now(): number {
    return this.nowAnswer as number;
  }

  epochNow(): number {
    return this.epochAnswer as number;
  }
}

export interface Call {
  readonly method: string;
  readonly perform: () => unknown;
}

/** Generates calls of a limiter, most of them valid and many of them not. */
export class Caller {
  readonly clock: OddClock = new OddClock();
  readonly limiter: GrateLimiter;
  readonly #random: () => number;
  readonly #oddness: number;
  readonly #recorded: unknown[] = [];
  #trueMs = 0;

  /** `oddness`: share of hostile values, 0 to 1. */
  constructor(random: () => number, oddness: number) {
    this.#random = random;
    this.#oddness = oddness;
    this.#trueMs = this.#pick([0, 0, -1e6, 123.25, 1.5e9]);
    this.clock.nowAnswer = this.#trueMs;
    this.limiter = new GrateLimiter(this.#options() as GrateLimiterOptions);
    this.limiter.upsertCapability({ name: "chat", providers: ["a", "__proto__", "b"] });
    this.limiter.upsertCapability({ name: "__proto__", providers: ["💥", "constructor", "a"] });
  }

  /** The events since the last call of this function. */
  recorded(): unknown[] {
    return this.#recorded.splice(0);
  }

  /** Moves the clock, or makes it return invalid readings for a while. `isFar`: also to instants without a date. */
  moveClock(isFar: boolean): void {
    const steps = [0, 1 / 3, 20, 1_000, 9_999.5, 60_000, 3_600_000, 86_400_000, 3.2e10];
    this.#trueMs += this.#chance(0.97) ? this.#pick(steps.slice(0, 5)) : this.#pick(steps);
    if (isFar && this.#chance(0.02)) this.#trueMs = this.#pick([2 ** 53, 1e17, 1e308]);
    this.clock.nowAnswer = this.#trueMs;
    this.clock.epochAnswer = 1.7e12 + this.#trueMs;
    if (this.#chance(0.1)) this.clock.nowAnswer = this.#trueMs - this.#pick(steps);
    if (this.#chance(this.#oddness / 4)) this.clock.epochAnswer = this.#pick(ODD_NUMBERS);
    // A reading beyond any real time would stop time for good, so it is used only at the end.
    const odd = this.#pick(ODD_NUMBERS);
    if (this.#chance(this.#oddness / 2) && (isFar || typeof odd !== "number" || !(odd > 2))) this.clock.nowAnswer = odd;
  }

  next(): Call {
    const { limiter } = this;
    const random = this.#random();
    if (random < 0.5) return this.#call("observe", [this.#observation()]);
    if (random < 0.72) return this.#call("select", [this.#capability(), this.#selectOptions()]);
    if (random < 0.78)
      return this.#call("remainingQuota", [this.#name(), this.#dimension(), this.#maybe(() => this.#window())]);
    if (random < 0.8) return this.#call("providerHealth", [this.#name()]);
    if (random < 0.82) return this.#call("providerInCooldown", [this.#name()]);
    if (random < 0.86) return this.#call("forecast", [this.#name()]);
    if (random < 0.89) return this.#call("upsertProvider", [this.#provider(this.#name())]);
    if (random < 0.93) return this.#call("updateProvider", [this.#name(), this.#provider(undefined)]);
    if (random < 0.94) return this.#call("removeProvider", [this.#name()]);
    if (random < 0.95) return this.#call("reviveProvider", [this.#name()]);
    if (random < 0.97)
      return this.#call("upsertPool", [
        this.#odd(() => ({ name: this.#pick(["pool", "__proto__", ""]), ...this.#quotas() })),
      ]);
    if (random < 0.98)
      return this.#call("upsertCapability", [this.#odd(() => ({ name: this.#capability(), providers: this.#list() }))]);
    if (random < 0.985) return this.#call("removeCapability", [this.#capability()]);
    if (random < 0.99) {
      const event = this.#pick([
        "cooldownStarted",
        "cooldownEnded",
        "limitReached",
        "providerDead",
        "providerRevived",
        "",
        5n,
      ]);
      const listen = () => {
        const off = limiter.on(event as "limitReached", (reported) => this.#recorded.push(reported));
        if (this.#chance(0.9)) off();
      };
      return { method: "on", perform: listen };
    }
    return { method: "metrics", perform: () => limiter.metrics };
  }

  #call(method: keyof GrateLimiter, args: unknown[]): Call {
    const perform = () => (this.limiter[method] as (...args: unknown[]) => unknown)(...args);
    return { method, perform };
  }

  #options(): unknown {
    return {
      clock: this.clock,
      pools: JSON.parse('{"pool": {"limits": {"rpm": 30}}, "__proto__": {"limits": {"tpm": 900}}}'),
      providers: [
        { name: "a", limits: { rpm: 20, tpm: 1_000, concurrency: 3 }, pools: ["pool"], price: { usdPerRequest: 0.01 } },
        { name: "__proto__", limits: { rps: 3, usdPerDay: 4 }, pools: ["__proto__", "pool"] },
        {
          name: "💥",
          quotas: [{ dimension: "requests", limit: 40, window: { calendar: "day", timeZone: "Asia/Kolkata" } }],
        },
      ],
      capabilities: JSON.parse('{"chat": ["a", "__proto__"], "__proto__": ["💥", "a"], "empty": []}'),
      minimumHealthScore: this.#pick([0.2, 0, 0.9]),
    };
  }

  #observation(): unknown {
    const amount = () => this.#number([1, 1, 3, 0, 40, 500]);
    return this.#odd(() => ({
      provider: this.#name(),
      usage: this.#maybe(() =>
        this.#odd(() => ({
          requests: this.#maybe(amount),
          tokens: this.#maybe(amount),
          inputTokens: this.#maybe(amount),
          outputTokens: this.#maybe(amount),
          bytes: this.#maybe(amount),
          costMicroUsd: this.#maybe(amount),
        })),
      ),
      outcome: this.#odd(() => ({
        status: this.#chance(this.#oddness)
          ? this.#pick(ODD_STATUSES)
          : this.#chance(0.7)
            ? "success"
            : this.#pick(STATUSES),
        latencyMs: this.#maybe(() => this.#number([0, 12.5, 900])),
        retryAfterMs: this.#maybe(() => this.#number([0, 1_000, 60_000])),
      })),
    }));
  }

  #selectOptions(): unknown {
    return this.#maybe(() =>
      this.#odd(() => ({
        requests: this.#maybe(() => this.#number([0, 1, 2, 50])),
        tokens: this.#maybe(() => this.#number([0, 10, 2_000])),
        maxOutputTokens: this.#maybe(() => this.#number([10])),
        only: this.#chance(0.1) ? this.#list() : undefined,
        exclude: this.#chance(0.1) ? this.#list() : undefined,
      })),
    );
  }

  #provider(name: unknown): unknown {
    return this.#odd(() => ({
      ...(name === undefined ? {} : { name }),
      ...this.#quotas(),
      pools: this.#chance(0.3) ? this.#odd(() => [this.#pick(["pool", "__proto__", "pool", "nowhere"])]) : undefined,
      priority: this.#maybe(() => this.#number([0, 1, 10, 2.5])),
      weight: this.#maybe(() => this.#number([0, 1, 2])),
      paused: this.#chance(0.05) ? true : undefined,
      cooldownSeconds: this.#maybe(() => this.#number([0, 1, 60])),
      price: this.#maybe(() => this.#odd(() => ({ usdPerRequest: this.#number([0, 0.01]) }))),
    }));
  }

  #quotas(): object {
    const quota = () =>
      this.#odd(() => ({
        dimension: this.#dimension(),
        limit: this.#number([0, 1, 10, 500]),
        window: this.#window(),
        strategy: this.#maybe(() => this.#pick(["sliding_window", "token_bucket", "fixed_window", "leaky", 5])),
        burst: this.#chance(0.1) ? this.#number([0, 1, 20]) : undefined,
        resetEpochMs: this.#chance(0.1) ? this.#number([0, 1.7e12]) : undefined,
      }));
    return {
      limits: this.#maybe(() =>
        this.#odd(() => ({ rpm: this.#number([0, 5, 100]), tpd: this.#maybe(() => this.#number([9])) })),
      ),
      quotas: this.#maybe(() => this.#odd(() => Array.from({ length: Math.floor(this.#random() * 3) }, quota))),
    };
  }

  #list(): unknown {
    return this.#odd(() => Array.from({ length: Math.floor(this.#random() * 5) }, () => this.#name()));
  }

  #name(): unknown {
    return this.#chance(this.#oddness / 2) ? this.#pick(ODD_NAMES) : this.#pick(NAMES);
  }

  #capability(): unknown {
    return this.#chance(this.#oddness / 2) ? this.#pick(ODD_NAMES) : this.#pick(["chat", "__proto__", "empty", "chat"]);
  }

  #dimension(): unknown {
    return this.#chance(this.#oddness) ? this.#pick(ODD_NUMBERS) : this.#pick(DIMENSIONS);
  }

  #window(): unknown {
    if (this.#chance(this.#oddness)) return this.#pick(ODD_NUMBERS);
    return this.#chance(this.#oddness) ? { seconds: this.#pick(ODD_NUMBERS) } : this.#pick(WINDOWS);
  }

  #number(usual: readonly number[]): unknown {
    return this.#chance(this.#oddness) ? this.#pick(ODD_NUMBERS) : this.#pick(usual);
  }

  /** Returns the object, or sometimes an invalid one, or one with an additional key. */
  #odd(make: () => unknown): unknown {
    if (!this.#chance(this.#oddness / 10)) return make();
    return this.#chance(0.5) ? this.#pick(ODD_NUMBERS) : { ...(make() as object), surplus: 1 };
  }

  #maybe(make: () => unknown): unknown {
    return this.#chance(0.6) ? make() : undefined;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }
}
