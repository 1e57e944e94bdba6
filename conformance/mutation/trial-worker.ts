// A process of its own: puts one variant after the other to the fixtures, and what survives to the record.
import { fixtureFiles, readFixture } from "../typescript/run.ts";
import { readRecord } from "./record.ts";
import type { Outcome, Task } from "./trials.ts";
import { VariantPlayer } from "./variant-player.ts";

const player = new VariantPlayer({
  fixtures: fixtureFiles().map(readFixture),
  record: readRecord(process.argv[2]!),
});

process.on("message", ({ isForRecord, ...variant }: Task) => {
  const fixture = player.ask(variant, "replay.failingFixture(fixtures)") as string | null;
  const isAsked = fixture === null && isForRecord;
  const scenario = isAsked ? (player.ask(variant, "replay.differingScenario(record)") as string | null) : null;
  process.send!({ fixture, scenario } satisfies Outcome);
});
