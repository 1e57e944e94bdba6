// The provider that a key prefers, so that its requests find the same prompt cache.
//
//   among the ranks within 10 % of the best score:  the provider with the greatest hash of (key, name of the provider)
//
// Regimes: rendezvous hashing. If a provider leaves the list, only its own keys move. A provider without capacity is passed
// over for the time being.
// Source of the hash: FNV-1a, 32 bits, with the last steps of MurmurHash3, which spread short keys.

import type { Ranking } from "./ranking.ts";
import type { RequestSpec } from "./request-spec.ts";

/** Share of the best score that a provider may lack. */
const BAND = 0.1;

/** Rank that the affinity key of the request prefers; `best` without a key. `isFree`: true if a rank can be taken. */
export function affineRank(
  request: RequestSpec,
  ranking: Ranking,
  best: number,
  isFree: (rank: number) => boolean,
): number {
  const { affinityKey } = request;
  if (affinityKey === undefined || best < 0) return best;
  const score = ranking.score(best);
  const least = score - Math.abs(score) * BAND;
  const isAvoided = request.avoids(ranking.entry(best).name);
  let chosen = best;
  let greatest = hashOf(affinityKey, ranking.entry(best).name);
  for (let rank = best + 1; rank < ranking.size && ranking.score(rank) >= least; rank++) {
    const { name } = ranking.entry(rank);
    if (ranking.waitMs(rank) > 0 || request.avoids(name) !== isAvoided || !isFree(rank)) continue;
    const hash = hashOf(affinityKey, name);
    if (hash <= greatest) continue;
    greatest = hash;
    chosen = rank;
  }
  return chosen;
}

function hashOf(key: string, name: string): number {
  let hash = 0x811c9dc5;
  const text = `${key}\0${name}`;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
