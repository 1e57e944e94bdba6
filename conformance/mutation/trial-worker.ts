// Worker process: runs the fixtures against one variant after the other, and the record against the survivors.
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
