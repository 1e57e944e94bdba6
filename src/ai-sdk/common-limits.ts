// Properties of a routed model: what every one of its models allows.

import type { ModelKind } from "./model-kind.ts";
import type { AnyModel, Json } from "./model-types.ts";

type Urls = { readonly [mediaType: string]: readonly RegExp[] };

/** Getters of the properties that a kind of model has besides its methods. */
export function commonLimits(kind: ModelKind | undefined, models: readonly AnyModel[]): Json {
  const all = (name: string) => models.map((model) => model[name]);
  if (kind === "language") {
    return {
      get supportedUrls() {
        return combined(all("supportedUrls"), commonUrls, {});
      },
    };
  }
  if (kind === "embedding") {
    return {
      get maxEmbeddingsPerCall() {
        return combined(all("maxEmbeddingsPerCall"), least, undefined);
      },
      get supportsParallelCalls() {
        return combined(all("supportsParallelCalls"), (values) => values.every((value) => value === true), false);
      },
    };
  }
  if (kind !== "image") return {};
  return {
    // Without a statement of its own a model makes one image.
    maxImagesPerCall: () => {
      const limits = models.map((model) => {
        const limit = model["maxImagesPerCall"];
        return typeof limit === "function" ? limit.call(model, { modelId: model["modelId"] }) : limit;
      });
      return combined(limits, (values) => least(values.map((value) => value ?? 1)), 1);
    },
    get supportsFileInputs() {
      return combined(all("supportsFileInputs"), allOf, undefined);
    },
    get supportsMaskInputs() {
      return combined(all("supportsMaskInputs"), allOf, undefined);
    },
  };
}

/** Result for the values, or its promise if one of them is a promise. `failed`: the result if a promise is rejected. */
function combined<T>(values: readonly unknown[], combine: (values: readonly unknown[]) => T, failed: T) {
  const isLater = values.some((value) => typeof (value as Json | null | undefined)?.["then"] === "function");
  return isLater ? Promise.all(values).then(combine, () => failed) : combine(values);
}

/** Smallest number; undefined: no value is a number. */
function least(values: readonly unknown[]): number | undefined {
  const numbers = values.filter((value) => typeof value === "number");
  return numbers.length > 0 ? Math.min(...numbers) : undefined;
}

/** False if one value is false; undefined if one is unknown. */
function allOf(values: readonly unknown[]): boolean | undefined {
  if (values.includes(false)) return false;
  return values.every((value) => value === true) || undefined;
}

/** Patterns that all models state in the same words. The AI SDK downloads other files and sends their contents. */
function commonUrls(values: readonly unknown[]): Urls {
  const [first = {}, ...others] = values.map((value) => (value ?? {}) as Urls);
  const isIn = (urls: Urls, type: string, pattern: RegExp) =>
    (urls[type] ?? []).some((one) => `${one}` === `${pattern}`);
  const common: { [mediaType: string]: readonly RegExp[] } = {};
  for (const [type, patterns] of Object.entries(first)) {
    const kept = patterns.filter((pattern) => others.every((urls) => isIn(urls, type, pattern)));
    if (kept.length > 0) common[type] = kept;
  }
  return common;
}
