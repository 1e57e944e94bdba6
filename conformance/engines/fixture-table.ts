import { execFile } from "node:child_process";
import { LANGUAGES, type Language, MissingTool, type Runner } from "./languages.ts";

/** One line of a runner's output. */
interface Result {
  readonly fixture: string;
  readonly language: Language;
  readonly engine: string;
  readonly profile?: string;
  readonly result: "pass" | "fail" | "not_applicable";
  readonly reason?: string;
  readonly failures: readonly string[];
}

/** Plays all fixtures in every language and prints the table. Returns the failures. */
export async function printFixtureTable(runners: readonly Runner[]): Promise<string[]> {
  const results = (await Promise.all(runners.map(resultsOf))).flat();
  const fixtures = [...new Set(results.map(({ fixture }) => fixture))].sort();
  const engines = LANGUAGES.map((language) => results.find((result) => result.language === language)?.engine);
  const heads = LANGUAGES.map((language, place) => `${language} ${engines[place] ?? "?"}`);
  const notes: string[] = [];
  const rows = fixtures.map((fixture) => [
    fixture,
    ...LANGUAGES.map((language) => {
      const own = results.filter((result) => result.fixture === fixture && result.language === language);
      return cellOf(own, notes);
    }),
  ]);
  console.log(table([["fixture", ...heads], ...rows]));
  console.log(notes.map((note, place) => `[${place + 1}] not applicable: ${note}`).join("\n"));
  const count = (language: Language, result: Result["result"]) =>
    results.filter((other) => other.language === language && other.result === result).length;
  for (const language of LANGUAGES) {
    const [passed, failed, skipped] = [
      count(language, "pass"),
      count(language, "fail"),
      count(language, "not_applicable"),
    ];
    const unit = language === "typescript" ? " (each fixture in each of its profiles)" : "";
    console.log(`${language}: ${passed} pass, ${failed} fail, ${skipped} not applicable${unit}`);
  }
  const absent = LANGUAGES.filter((language) => new Set(ofLanguage(results, language)).size !== fixtures.length);
  return [
    ...results.filter(({ result }) => result === "fail").map(sentenceOf),
    ...absent.map((language) => `${language} did not play every fixture`),
  ];
}

function ofLanguage(results: readonly Result[], language: Language): string[] {
  return results.filter((result) => result.language === language).map(({ fixture }) => fixture);
}

/**
 * Returns the results of one runner for all fixtures. If it stops early, the later fixtures are absent. Rejects with
 * `MissingTool` if it does not start.
 */
function resultsOf({ language, command, leadingArguments }: Runner): Promise<Result[]> {
  return new Promise((resolve, reject) => {
    execFile(command, leadingArguments, { encoding: "utf8", maxBuffer: 2 ** 26 }, (_failed, stdout, stderr) => {
      const lines = stdout.split("\n").filter((line) => line !== "");
      if (lines.length === 0)
        return reject(new MissingTool(`the ${language} runner did not start\n${stderr.trimEnd()}`));
      if (stderr !== "") console.error(stderr.trimEnd());
      resolve(lines.map((line) => JSON.parse(line) as Result));
    });
  });
}

function cellOf(results: readonly Result[], notes: string[]): string {
  if (results.length === 0) return "absent";
  if (results.some(({ result }) => result === "fail")) return "FAIL";
  const skipped = results.find(({ result }) => result === "not_applicable");
  if (skipped === undefined) return "pass";
  const reason = skipped.reason ?? "";
  if (!notes.includes(reason)) notes.push(reason);
  return `n/a [${notes.indexOf(reason) + 1}]`;
}

function sentenceOf({ fixture, language, profile, failures }: Result): string {
  return `${fixture} fails in ${language}${profile === undefined ? "" : ` (${profile})`}: ${failures.join("; ")}`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
