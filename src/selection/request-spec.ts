import type { Price } from "../api/provider-config.ts";
import type { SelectOptions } from "../api/run-options.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { Listed } from "../provider/provider-list.ts";
import type { SizeEstimate } from "../provider/size-estimate.ts";
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

/** A request for a provider: its amounts, and the providers that can serve it. */
export class RequestSpec {
  readonly #specified: UsageVector;
  /** Demand if nothing has to be estimated or priced. */
  readonly #stated: Demand;
  /** True if all amounts of tokens are specified, or follow from those that are. */
  readonly isFullySpecified: boolean;
  /** Largest specified demand on a quota of requests or places, and on any other quota. */
  readonly mostRequests: number;
  readonly mostSize: number;
  readonly #maxOutputTokens: number | undefined;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #exclude: ReadonlySet<string> | undefined;
  readonly #avoid: ReadonlySet<string> | undefined;
  #kind: string | undefined;
  #key: string | undefined;

  /** `options` must be valid; providers in `avoid` serve the request only if no other has capacity. */
  constructor(options: SelectOptions, avoid?: ReadonlySet<string>) {
    this.#specified = unspecifiedUsage();
    readUsageFields(options, this.#specified);
    const amounts = this.#specified.slice();
    completeUsage(amounts, null);
    this.isFullySpecified =
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

  /** Equal for requests that specify the same dimensions and the same providers, whatever the amounts. */
  get kind(): string {
    this.#kind ??= this.#keyOf(Math.sign);
    return this.#kind;
  }

  /** True if no amount is smaller than that of another request of this kind. */
  isAtLeast(other: RequestSpec): boolean {
    const most = (request: RequestSpec) => request.#maxOutputTokens ?? 0;
    return this.#specified.every((amount, index) => amount >= other.#specified[index]!) && most(this) >= most(other);
  }

  /** Equal for requests that specify the same amounts and providers. */
  get key(): string {
    this.#key ??= this.#keyOf((amount) => amount);
    return this.#key;
  }

  #keyOf(of: (amount: number) => number): string {
    const sets = [this.#only, this.#exclude, this.#avoid].map((names) => names && [...names]);
    return JSON.stringify([
      this.#specified.map(of),
      this.#maxOutputTokens !== undefined && of(this.#maxOutputTokens),
      sets,
    ]);
  }

  /** True if not every provider of the list can serve it. */
  get isRestricted(): boolean {
    return this.#only !== undefined || this.#exclude !== undefined;
  }

  excludes(provider: string): boolean {
    return (this.#only !== undefined && !this.#only.has(provider)) || (this.#exclude?.has(provider) ?? false);
  }

  avoids(provider: string): boolean {
    return this.#avoid?.has(provider) ?? false;
  }

  /**
   * Upper bound of the demand on every quota of a provider whose amounts depend on the size of a request, with the safety
   * margin of an estimate; Infinity: only `needs` can compute it.
   */
  largestOn({ hasSizes, isPriced, row }: Provider, size: SizeEstimate, isLease: boolean): number {
    if (!hasSizes) return this.mostSize;
    if (isPriced) return Infinity;
    if (this.isFullySpecified) return this.mostSize;
    const max = this.#maxOutputTokens;
    if (!size.isKnown) return max === undefined && !isLease ? this.mostSize : Infinity;
    const input = this.#specified[INPUT_TOKENS]!;
    const output = this.#specified[OUTPUT_TOKENS]!;
    return Math.max(this.mostSize, size.upperBound(input, output, max ?? Infinity, row.openVariance));
  }

  /** Demand in each dimension of a registered provider; a lease also needs an estimate if nothing is known. */
  needs(capability: Capability, { name, provider }: Listed, isLease: boolean): Demand {
    const { settings, quotas, hasSizes } = provider!;
    if (!hasSizes || (settings.price === null && this.isFullySpecified)) return this.#stated;
    const size = capability.sizeOn(name);
    if (settings.price === null && !isLease && this.#maxOutputTokens === undefined && !size.isKnown)
      return this.#stated;
    const amounts = this.#specified.slice();
    const isGuess = size.fillIn(amounts, this.#maxOutputTokens);
    const isKnown = isGuess || this.#maxOutputTokens !== undefined;
    completeUsage(amounts, settings.price);
    if (isLease && !isKnown && !this.isFullySpecified) {
      const told = [...amounts];
      for (const { spec, tracker } of quotas) {
        const { index } = spec;
        if (!SIZE_DIMENSIONS.includes(index) || this.#specified[index] !== UNSPECIFIED) continue;
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
    const least = this.#specified.slice();
    completeUsage(least, price);
    for (const { index, tracker } of quotas) {
      const most = Math.max(1, least[index]!, tracker.capacity);
      if (SIZE_DIMENSIONS.includes(index) && amounts[index]! > most) amounts[index] = most;
    }
  }

  /** Micro-USD that it costs at this price; null: unknown. */
  cost(price: Price | null): number | null {
    const told = this.#specified[COST_USD]!;
    if (told !== UNSPECIFIED) return told;
    if (price === null || !isCostKnown(this.#specified, price)) return null;
    const amounts = this.#specified.slice();
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
