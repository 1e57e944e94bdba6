import { FIXED_SEED } from "./seed.ts";

/**
 * Uniform in [0, 1), the same numbers for the same seed (mulberry32). For tests with a million steps, because
 * generating and shrinking such scripts would be too slow.
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Runs `body` with the seed of all property tests (see seed.ts). Its errors contain the seed. */
export function withSeed(body: (random: () => number) => void): void {
  const seed = Number(process.env["SEED"] ?? FIXED_SEED);
  try {
    body(seededRandom(seed));
  } catch (error) {
    throw new Error(`SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
