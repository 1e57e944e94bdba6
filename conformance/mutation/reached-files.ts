import { readdirSync, readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { fileURLToPath } from "node:url";
import { failuresOf } from "../typescript/expectations.ts";
import { fixtureFiles, readFixture } from "../typescript/run.ts";
import { isData } from "./source-places.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Paths of all files of src in which the classic fixtures call a function, and of all files that only have data. */
export async function reachedFiles(): Promise<string[]> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  // Coverage starts here, because code that runs only at import does not count as reached.
  await session.post("Profiler.startPreciseCoverage", { callCount: true });
  for (const fixture of fixtureFiles().map(readFixture)) {
    if ((fixture.profile ?? ["classic"]).includes("classic")) failuresOf(fixture, "classic");
  }
  const { result } = await session.post("Profiler.takePreciseCoverage");
  session.disconnect();
  const called = result
    .filter(({ functions }) => functions.some(({ ranges: [range] }) => range!.startOffset > 0 && range!.count > 0))
    .map(({ url }) => url);
  const sources = readdirSync(`${ROOT}src`, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  return sources
    .map((name) => `src/${name}`)
    .filter((file) => called.some((url) => url.endsWith(`/${file}`)) || isData(sourceOf(file)))
    .sort();
}

/** Text of a file of src. */
export function sourceOf(file: string): string {
  return readFileSync(ROOT + file, "utf8");
}
