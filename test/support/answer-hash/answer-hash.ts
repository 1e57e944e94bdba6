// Hashes of all answers of random operations, to prove that a refactoring changes no behaviour.
//
//   npx tsx test/support/answer-hash/answer-hash.ts              hashes, and the shares of situations that were covered
//   npx tsx test/support/answer-hash/answer-hash.ts --worlds     also the hash of each world
//   npx tsx test/support/answer-hash/answer-hash.ts --world 17   one world alone
//   npx tsx test/support/answer-hash/answer-hash.ts --log FILE   also one line per operation: profile, world, index, name, answer
//
// The `diff` of the logs of two versions shows the first answer that differs. In `withoutBurn` all numbers are left out that
// derive directly from the burn rate; scores depend on it, too, and stay.
import { closeSync, openSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type { ProfileName } from "./configs.ts";
import { ANTICIPATORY, CLASSIC, CLOSE } from "./operations.ts";
import { Shares, SITUATIONS } from "./shares.ts";
import { digest, type Log, World, type WorldHashes } from "./world.ts";

/** Worlds and operations of each profile; worlds are numbered through. */
const PLAN = {
  anticipatory: { first: 0, worlds: 180, operations: 333, table: ANTICIPATORY },
  classic: { first: 180, worlds: 80, operations: 250, table: CLASSIC },
} as const;
const PROFILES = ["anticipatory", "classic"] as const;

export interface AnswerHashes {
  readonly hashes: { readonly [profile in ProfileName]: WorldHashes };
  /** By the number of the world. */
  readonly worlds: ReadonlyMap<number, WorldHashes>;
  readonly operations: number;
  /** Shares among the operations of the anticipatory profile. */
  readonly shares: Shares;
}

/** Plays all worlds, or one. */
export async function answerHashes(options: { world?: number; log?: Log } = {}): Promise<AnswerHashes> {
  const { stackTraceLimit } = Error;
  // Stack traces of refusals took a tenth of the whole run.
  Error.stackTraceLimit = 0;
  try {
    return await playAll(options);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function playAll(options: { world?: number; log?: Log }): Promise<AnswerHashes> {
  const shares = new Shares();
  const worlds = new Map<number, WorldHashes>();
  const hashes: { [profile in ProfileName]?: WorldHashes } = {};
  let operations = 0;
  for (const profile of PROFILES) {
    const plan = PLAN[profile];
    const played: WorldHashes[] = [];
    for (let number = plan.first; number < plan.first + plan.worlds; number++) {
      if (options.world !== undefined && number !== options.world) continue;
      const world = await play(number, profile, profile === "anticipatory" ? shares : null, options.log);
      worlds.set(number, world);
      played.push(world);
      operations += plan.operations;
    }
    hashes[profile] = {
      exact: digest(played.map(({ exact }) => exact).join()),
      withoutBurn: digest(played.map(({ withoutBurn }) => withoutBurn).join()),
    };
  }
  return { hashes: hashes as AnswerHashes["hashes"], worlds, operations, shares };
}

async function play(number: number, profile: ProfileName, shares: Shares | null, log?: Log): Promise<WorldHashes> {
  const world = new World(number, profile, shares);
  const { operations, table } = PLAN[profile];
  for (let index = 0; index < operations; index++) {
    const operation = index === operations - 1 ? CLOSE : world.random.weighted(table);
    await world.perform(operation, log, `${profile} ${number} ${index}`);
  }
  return world.hashes();
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { world: { type: "string" }, worlds: { type: "boolean" }, log: { type: "string" } },
  });
  const file = values.log === undefined ? null : openSync(values.log, "w");
  const startMs = performance.now();
  const { hashes, worlds, operations, shares } = await answerHashes({
    ...(values.world !== undefined && { world: Number(values.world) }),
    ...(file !== null && { log: (line: string) => writeSync(file, `${line}\n`) }),
  });
  const seconds = (performance.now() - startMs) / 1_000;
  if (file !== null) closeSync(file);
  if (values.worlds || values.world !== undefined) {
    for (const [number, { exact, withoutBurn }] of worlds) {
      console.log(`world ${number}: exact ${exact}, withoutBurn ${withoutBurn}`);
    }
  }
  for (const profile of PROFILES) console.log(`${profile}:`, hashes[profile]);
  console.log(`${operations} operations in ${worlds.size} worlds, ${seconds.toFixed(1)} s`);
  for (const situation of SITUATIONS) console.log(`${situation}: ${(shares.of(situation) * 100).toFixed(1)} %`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
