import type { Price } from "../api/provider-config.ts";
import type { FairnessOptions, SelectOptions } from "../api/run-options.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { ListedProvider } from "../provider/provider-list.ts";
import { NOTHING_STATED, type SizeEstimate, type StatedSize } from "../provider/size-estimate.ts";
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
import { WINDOW_MS } from "../quota/window.ts";

/** A request for a provider: its specified amounts, and the providers that can serve it. */
export class RequestSpec {
  readonly #specified: UsageVector;
  /** Demand if nothing has to be estimated or priced. */
  readonly #stated: Demand;
  /** True if all numbers of tokens are specified, or follow from the specified ones. */
  readonly isFullySpecified: boolean;
  /** True if it counts on no quota of requests. */
  readonly needsNoRequest: boolean;
  /** Largest specified demand on a quota of requests or concurrency. */
  readonly maxRequests: number;
  /** True if any amount is specified that counts on other quotas. */
  readonly statesSize: boolean;
  /** Largest specified demand on any other quota. */
  readonly maxSize: number;
  readonly #maxOutputTokens: number | undefined;
  /** True if the request names the only providers that can serve it, or excludes some. */
  readonly isRestricted: boolean;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #exclude: ReadonlySet<string> | undefined;
  readonly #avoid: ReadonlySet<string> | undefined;
  /** Key of which the requests prefer one provider. */
  readonly affinityKey: string | undefined;
  /** Key that has limits of its own. */
  readonly fairnessKey: string | undefined;
  #kind: string | undefined;
  #key: string | undefined;

  /** `options` must be valid. Providers in `avoid` serve the request only if no other provider has capacity. */
  constructor(options: SelectOptions & FairnessOptions, avoid?: ReadonlySet<string>) {
    this.#specified = unspecifiedUsage();
    readUsageFields(options, this.#specified);
    const amounts = this.#specified.slice();
    completeUsage(amounts, null);
    this.isFullySpecified =
      amounts[TOKENS] !== UNSPECIFIED &&
      amounts[INPUT_TOKENS] !== UNSPECIFIED &&
      amounts[OUTPUT_TOKENS] !== UNSPECIFIED;
    this.#stated = { amounts, variance: 0, costPerToken: 0 };
    this.needsNoRequest = amounts[REQUESTS] === 0 || amounts[CONCURRENCY] === 0;
    this.maxRequests = Math.max(amounts[REQUESTS]!, amounts[CONCURRENCY]!);
    const sizes = [BYTES, ...SIZE_DIMENSIONS];
    this.statesSize = sizes.some((index) => this.#specified[index] !== UNSPECIFIED);
    let maxSize = demandFor(amounts, BYTES);
    for (const index of SIZE_DIMENSIONS) maxSize = Math.max(maxSize, demandFor(amounts, index));
    this.maxSize = maxSize;
    this.#maxOutputTokens = options.maxOutputTokens;
    this.#only = options.only && new Set(options.only);
    this.#exclude = options.exclude && new Set(options.exclude);
    this.isRestricted = this.#only !== undefined || this.#exclude !== undefined;
    this.#avoid = avoid;
    this.affinityKey = options.affinityKey;
    this.fairnessKey = options.fairnessKey;
  }

  /** Key that is equal for requests that specify the same dimensions and the same providers, with any amounts. */
  get kind(): string {
    this.#kind ??= this.#keyOf(Math.sign);
    return this.#kind;
  }

  /** True if every amount is at least as large as that of another request of this kind. */
  isAtLeast(other: RequestSpec): boolean {
    const maxOutput = (request: RequestSpec) => request.#maxOutputTokens ?? 0;
    const hasAmounts = this.#specified.every((amount, index) => amount >= other.#specified[index]!);
    return hasAmounts && maxOutput(this) >= maxOutput(other);
  }

  /** True if both specify the same amounts. */
  isSameSize(other: RequestSpec): boolean {
    const amounts = other.#specified;
    return (
      this.#maxOutputTokens === other.#maxOutputTokens && this.#specified.every((amount, i) => amount === amounts[i])
    );
  }

  /** Key that is equal for requests that specify the same amounts and providers. */
  get key(): string {
    this.#key ??= this.#keyOf((amount) => amount);
    return this.#key;
  }

  #keyOf(keyPart: (amount: number) => number): string {
    const sets = [this.#only, this.#exclude, this.#avoid].map((names) => names && [...names]);
    return JSON.stringify([
      this.#specified.map(keyPart),
      this.#maxOutputTokens !== undefined && keyPart(this.#maxOutputTokens),
      sets,
    ]);
  }

  /** True if the caller states the most output, and not the output itself. */
  get limitsOutput(): boolean {
    return this.#maxOutputTokens !== undefined && !this.isFullySpecified;
  }

  /** The most output, if the provider charges it on arrival; UNSPECIFIED: the output is stated or estimated. */
  #chargedOutput({ settings }: Provider): number {
    return settings.terms.chargesMaxOutput && this.limitsOutput ? Math.ceil(this.#maxOutputTokens!) : UNSPECIFIED;
  }

  /** True if the caller states the cost. */
  get statesCost(): boolean {
    return this.#specified[COST_USD] !== UNSPECIFIED;
  }

  excludes(provider: string): boolean {
    return (this.#only !== undefined && !this.#only.has(provider)) || (this.#exclude?.has(provider) ?? false);
  }

  avoids(provider: string): boolean {
    return this.#avoid?.has(provider) ?? false;
  }

  /**
   * Upper bound of the demand on every quota of a provider except those of requests and concurrency. It includes the safety
   * margin of an estimate. Infinity: unknown, only `demandOn` can compute the demand.
   */
  maxSizeOn(provider: Provider, size: SizeEstimate, isLease: boolean): number {
    const { hasSizes, isPriced, row } = provider;
    if (!hasSizes) return this.maxSize;
    if (isPriced) return Infinity;
    if (this.isFullySpecified) return this.maxSize;
    const max = this.#maxOutputTokens;
    if (!size.isKnown) return max === undefined && !isLease ? this.maxSize : Infinity;
    const input = this.#specified[INPUT_TOKENS]!;
    const output = Math.max(this.#specified[OUTPUT_TOKENS]!, this.#chargedOutput(provider));
    return Math.max(this.maxSize, size.upperBound(input, output, max ?? Infinity, row.openVariance));
  }

  /** Demand on a registered provider, in every dimension. For a lease, unknown amounts are estimated too. */
  demandOn(capability: Capability, { name, provider }: ListedProvider, isLease: boolean): Demand {
    const { settings, quotas, hasSizes } = provider!;
    if (!hasSizes || (settings.price === null && this.isFullySpecified)) return this.#stated;
    const size = capability.sizeOn(name);
    if (settings.price === null && !isLease && this.#maxOutputTokens === undefined && !size.isKnown)
      return this.#stated;
    const amounts = this.#specified.slice();
    if (amounts[OUTPUT_TOKENS] === UNSPECIFIED) amounts[OUTPUT_TOKENS] = this.#chargedOutput(provider!);
    const isLearned = size.estimateMissing(amounts, this.#maxOutputTokens);
    const isEstimated = isLearned || this.#maxOutputTokens !== undefined;
    completeUsage(amounts, settings.price);
    if (isLease && !isEstimated && !this.isFullySpecified) {
      const known = [...amounts];
      for (const { spec, tracker } of quotas) {
        const { index } = spec;
        if (!SIZE_DIMENSIONS.includes(index) || this.#specified[index] !== UNSPECIFIED) continue;
        // The smallest limit of a dimension decides, but the amount that follows from the specified ones is the minimum.
        const estimate = Math.max(size.unknownAmount(tracker.capacity, shortestWindowMs(quotas, index)), known[index]!);
        if (amounts[index] === known[index] || estimate < amounts[index]!) amounts[index] = estimate;
      }
    }
    if (isEstimated) this.#capEstimates(amounts, quotas, settings.price);
    const { usdPerMillionInputTokens = 0, usdPerMillionOutputTokens = 0 } = settings.price ?? {};
    const costPerToken = Math.max(usdPerMillionInputTokens, usdPerMillionOutputTokens);
    return { amounts, variance: isLearned ? size.variance : 0, costPerToken };
  }

  /** Amounts that are known of a request that has ended without a report. `isServed`: it was answered in full. */
  knownUsage({ settings, quotas }: Provider, size: SizeEstimate, isServed: boolean): UsageVector {
    const amounts = this.#specified.slice();
    // An upper limit is no usage of a request that failed.
    const isEstimated = size.estimateMissing(amounts, isServed || size.isKnown ? this.#maxOutputTokens : undefined);
    completeUsage(amounts, settings.price);
    if (isEstimated || isServed) this.#capEstimates(amounts, quotas, settings.price);
    return amounts;
  }

  /** The stated parts of its size; none if the whole size is stated. */
  get statedSize(): StatedSize {
    const maxOutputTokens = this.#maxOutputTokens ?? Infinity;
    if (this.isFullySpecified) return { ...NOTHING_STATED, maxOutputTokens };
    return { input: this.#specified[INPUT_TOKENS]!, output: this.#specified[OUTPUT_TOKENS]!, maxOutputTokens };
  }

  /**
   * Lowers estimates to the capacity of the quotas, but never below a specified amount. Otherwise one very large answer would
   * raise the estimate above a limit, and every later request would be too large.
   */
  #capEstimates(amounts: UsageVector, quotas: readonly Quota[], price: Price | null): void {
    const specified = this.#specified.slice();
    completeUsage(specified, price);
    for (const { index, tracker } of quotas) {
      const cap = Math.max(1, specified[index]!, tracker.capacity);
      if (SIZE_DIMENSIONS.includes(index) && amounts[index]! > cap) amounts[index] = cap;
    }
  }

  /** Most that the request can cost in micro-USD at this price; null: it states neither its cost nor its size. */
  mostCost(price: Price | null): number | null {
    const amounts = this.#specified.slice();
    const { usdPerMillionInputTokens = 0, usdPerMillionOutputTokens = 0 } = price ?? {};
    const isFree = usdPerMillionInputTokens + usdPerMillionOutputTokens === 0;
    if (amounts[COST_USD] === UNSPECIFIED) {
      const most = this.#maxOutputTokens;
      if (amounts[INPUT_TOKENS] !== UNSPECIFIED && amounts[OUTPUT_TOKENS] === UNSPECIFIED && most !== undefined)
        amounts[OUTPUT_TOKENS] = most;
      const isKnown = isFree || this.isFullySpecified || amounts[OUTPUT_TOKENS] !== UNSPECIFIED;
      if (price === null || !isKnown) return null;
    }
    completeUsage(amounts, price);
    return amounts[COST_USD]!;
  }

  /** Cost in micro-USD at this price; null: unknown. */
  cost(price: Price | null): number | null {
    const specified = this.#specified[COST_USD]!;
    if (specified !== UNSPECIFIED) return specified;
    if (price === null || !isCostKnown(this.#specified, price)) return null;
    const amounts = this.#specified.slice();
    completeUsage(amounts, price);
    return amounts[COST_USD]!;
  }
}

/** Length of the shortest window of that dimension; a calendar period counts as a day at least. */
function shortestWindowMs(quotas: readonly Quota[], index: number): number {
  return Math.min(...quotas.map(({ spec }) => (spec.index === index ? (spec.windowMs ?? WINDOW_MS.day) : Infinity)));
}

const ANY_REQUEST: RequestSpec = new RequestSpec({});

/** Returns the request of a call. All calls that specify nothing share one object. */
export function requestSpecFor(options: (SelectOptions & FairnessOptions) | undefined): RequestSpec {
  if (options === undefined) return ANY_REQUEST;
  const { requests, tokens, inputTokens, outputTokens, costMicroUsd, bytes } = options;
  const amount = requests ?? tokens ?? inputTokens ?? outputTokens ?? costMicroUsd ?? bytes;
  const key = options.affinityKey ?? options.fairnessKey;
  const isAny = (amount ?? options.maxOutputTokens ?? options.only ?? options.exclude ?? key) === undefined;
  return isAny ? ANY_REQUEST : new RequestSpec(options);
}
