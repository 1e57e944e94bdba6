import type { Price } from "../api/provider-config.ts";
import type { SelectOptions } from "../api/run-options.ts";
import type { Capability } from "../provider/capability.ts";
import type { Listed } from "../provider/provider-list.ts";
import {
  BYTES,
  CONCURRENCY,
  COST_USD,
  INPUT_TOKENS,
  OUTPUT_TOKENS,
  REQUESTS,
  TOKENS,
} from "../quota/dimension-index.ts";
import type { Quota } from "../quota/quota.ts";
import {
  completeUsage,
  type Demand,
  demandFor,
  isCostKnown,
  readUsageFields,
  SIZE_DIMENSIONS,
  UNSPECIFIED,
  type UsageVector,
  unspecifiedUsage,
} from "../quota/usage-vector.ts";

/** A request that asks for a provider: its amounts, and who may serve it. */
export class RequestSpec {
  readonly #told: UsageVector;
  /** What it needs where nothing has to be learned or priced. */
  readonly #stated: Demand;
  /** Whether the tokens are stated. */
  readonly isTold: boolean;
  /** The most that it takes, as stated, of a quota of requests or places, and of any other. */
  readonly mostRequests: number;
  readonly mostSize: number;
  readonly #maxOutputTokens: number | undefined;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #exclude: ReadonlySet<string> | undefined;
  readonly #avoid: ReadonlySet<string> | undefined;
  #kind: string | undefined;
  #key: string | undefined;

  /** `options` must have passed the validator; providers in `avoid` serve it only where no other has room. */
  constructor(options: SelectOptions, avoid?: ReadonlySet<string>) {
    this.#told = unspecifiedUsage();
    readUsageFields(options, this.#told);
    const amounts = this.#told.slice();
    completeUsage(amounts, null);
    this.isTold =
      amounts[TOKENS] !== UNSPECIFIED &&
      amounts[INPUT_TOKENS] !== UNSPECIFIED &&
      amounts[OUTPUT_TOKENS] !== UNSPECIFIED;
    this.#stated = { amounts, variance: 0, costPerToken: 0 };
    this.mostRequests = Math.max(amounts[REQUESTS]!, amounts[CONCURRENCY]!);
    let mostSize = demandFor(amounts, BYTES);
    for (const index of SIZE_DIMENSIONS) mostSize = Math.max(mostSize, demandFor(amounts, index));
    this.mostSize = mostSize;
    this.#maxOutputTokens = options.maxOutputTokens;
    this.#only = options.only && new Set(options.only);
    this.#exclude = options.exclude && new Set(options.exclude);
    this.#avoid = avoid;
  }

  /** Equal for requests that want the same of the same providers, but for how much. */
  get kind(): string {
    this.#kind ??= this.#keyOf(Math.sign);
    return this.#kind;
  }

  /** Whether it takes at least as much of everything as another of its kind. */
  isAtLeast(other: RequestSpec): boolean {
    const most = (request: RequestSpec) => request.#maxOutputTokens ?? 0;
    return this.#told.every((amount, index) => amount >= other.#told[index]!) && most(this) >= most(other);
  }

  /** Equal for requests that want exactly the same. */
  get key(): string {
    this.#key ??= this.#keyOf((amount) => amount);
    return this.#key;
  }

  #keyOf(of: (amount: number) => number): string {
    const sets = [this.#only, this.#exclude, this.#avoid].map((names) => names && [...names]);
    return JSON.stringify([this.#told.map(of), this.#maxOutputTokens !== undefined && of(this.#maxOutputTokens), sets]);
  }

  /** Whether nothing at all is said of the tokens. */
  get isSilent(): boolean {
    return !this.isTold && this.#maxOutputTokens === undefined;
  }

  /** True if it does not go to everybody. */
  get isChoosy(): boolean {
    return this.#only !== undefined || this.#exclude !== undefined;
  }

  excludes(provider: string): boolean {
    return (this.#only !== undefined && !this.#only.has(provider)) || (this.#exclude?.has(provider) ?? false);
  }

  avoids(provider: string): boolean {
    return this.#avoid?.has(provider) ?? false;
  }

  /** What it takes from each dimension of a registered provider; for a lease also where nothing is known of it. */
  needs(capability: Capability, { name, provider }: Listed, isLease: boolean): Demand {
    const { settings, quotas, hasSizes } = provider!;
    if (!hasSizes || (settings.price === null && this.isTold)) return this.#stated;
    const size = capability.sizeOn(name);
    if (settings.price === null && !isLease && this.isSilent && !size.isKnown) return this.#stated;
    const amounts = this.#told.slice();
    const isGuess = size.fillIn(amounts, this.#maxOutputTokens);
    const isKnown = isGuess || this.#maxOutputTokens !== undefined;
    completeUsage(amounts, settings.price);
    if (isLease && !isKnown && !this.isTold) {
      const told = [...amounts];
      for (const { spec, tracker } of quotas) {
        const { index } = spec;
        if (!SIZE_DIMENSIONS.includes(index) || this.#told[index] !== UNSPECIFIED) continue;
        // Of several limits the least decides; what follows from the part that was told is a floor.
        const guess = Math.max(size.unknownOf(tracker.capacity), told[index]!);
        if (amounts[index] === told[index] || guess < amounts[index]!) amounts[index] = guess;
      }
    }
    if (isKnown) this.#fit(amounts, quotas, settings.price);
    const { usdPerMillionInputTokens = 0, usdPerMillionOutputTokens = 0 } = settings.price ?? {};
    const costPerToken = Math.max(usdPerMillionInputTokens, usdPerMillionOutputTokens);
    return { amounts, variance: isGuess ? size.variance : 0, costPerToken };
  }

  /** Lowers what is no more than a guess to what the limits can hold: else one large answer would keep out all that follow. */
  #fit(amounts: UsageVector, quotas: readonly Quota[], price: Price | null): void {
    const least = this.#told.slice();
    completeUsage(least, price);
    for (const { index, tracker } of quotas) {
      const most = Math.max(1, least[index]!, tracker.capacity);
      if (SIZE_DIMENSIONS.includes(index) && amounts[index]! > most) amounts[index] = most;
    }
  }

  /** Micro-USD that it costs at this price; null: unknown. */
  cost(price: Price | null): number | null {
    const told = this.#told[COST_USD]!;
    if (told !== UNSPECIFIED) return told;
    if (price === null || !isCostKnown(this.#told, price)) return null;
    const amounts = this.#told.slice();
    completeUsage(amounts, price);
    return amounts[COST_USD]!;
  }
}

const ANY_REQUEST: RequestSpec = new RequestSpec({});

/** The request of a call; one object for all of which nothing is said. */
export function requestSpecFor(options: SelectOptions | undefined): RequestSpec {
  if (options === undefined) return ANY_REQUEST;
  const { requests, tokens, inputTokens, outputTokens, costMicroUsd, bytes } = options;
  const amount = requests ?? tokens ?? inputTokens ?? outputTokens ?? costMicroUsd ?? bytes;
  const isAny = (amount ?? options.maxOutputTokens ?? options.only ?? options.exclude) === undefined;
  return isAny ? ANY_REQUEST : new RequestSpec(options);
}
