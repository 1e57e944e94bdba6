// Index of each dimension in a usage vector; the order is that of `DIMENSIONS`.
export const REQUESTS = 0;
export const TOKENS = 1;
export const INPUT_TOKENS = 2;
export const OUTPUT_TOKENS = 3;
export const CONCURRENCY = 4;
export const COST_USD = 5;
export const BYTES = 6;
/** Part of the input tokens, and no dimension of its own: tokens that were read from a prompt cache. */
export const CACHED_INPUT = 7;
