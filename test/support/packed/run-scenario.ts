import { endOf, run } from "./command.ts";
import type { Report } from "./consumer/scenario.ts";

/** Runs one entry of the scenario in the packed project. Throws the failures. */
export async function runScenario(
  [command, ...args]: readonly string[],
  directory: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Report> {
  const { exitCode, stdout, stderr } = await run(command!, args, { cwd: directory, env });
  const printed = `${stdout}${stderr}`.trim();
  if (exitCode !== 0) throw new Error(`${endOf(exitCode)}\n${printed}`);
  const lastLine = stdout.trim().split("\n").at(-1) ?? "";
  if (!lastLine.startsWith("{")) throw new Error(`expected a report, got\n${printed}`);
  const report = JSON.parse(lastLine) as Report;
  const problems = report.answers.filter((answer) => answer.problem !== null);
  if (problems.length > 0)
    throw new Error(problems.map((answer) => `${answer.question}: ${answer.problem}`).join("\n"));
  if (report.answers.length === 0) throw new Error("expected answers, got none");
  return report;
}
