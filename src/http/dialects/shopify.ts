import type { Dialect } from "../dialect.ts";

/** Time (ms) in which the bucket drains: 40 at 2 per second, 400 at 20. */
const DRAIN_MS = 20_000;

/** Shopify's REST API: `32/40` of a leaky bucket. */
export const shopify: Dialect = {
  name: "shopify",
  hosts: ["myshopify.com"],
  isKnownBy: (header) => header("x-shopify-shop-api-call-limit") !== null,
  reported(header) {
    const [, used, size] =
      /^\s*(\d{1,9})\s*\/\s*(\d{1,9})\s*$/.exec(header("x-shopify-shop-api-call-limit") ?? "") ?? [];
    const limit = Number(size);
    if (used === undefined || limit === 0) return [];
    const remaining = Math.max(0, limit - Number(used));
    return [
      { dimension: "requests", limit, remaining, resetMs: ((limit - remaining) / limit) * DRAIN_MS, resetKind: "full" },
    ];
  },
  errorBody: (message) => ({ errors: message }),
};
