import { availableParallelism } from "node:os";

/** Something that must hold: throws if it does not; what it answers is shown behind its name. */
export interface Check {
  readonly name: string;
  readonly body: () => Promise<string | undefined> | string | undefined;
}

/**
 * Runs all checks, as many at once as there are processors, and prints one line for each, in the order of the list;
 * then `N passed, N failed`. Sets the exit code: not even one check is a failure too.
 */
export async function runChecks(checks: readonly Check[]): Promise<void> {
  const outcomes: (Outcome | undefined)[] = checks.map(() => undefined);
  const queue = checks.entries();
  let printed = 0;
  const worker = async (): Promise<void> => {
    // The workers share one iterator: each takes the next check that nobody has taken.
    for (const [index, check] of queue) {
      outcomes[index] = await outcomeOf(check);
      for (let next = outcomes[printed]; next !== undefined; next = outcomes[printed]) {
        console.log(next.line);
        printed += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  const passed = outcomes.filter((outcome) => outcome?.passed).length;
  console.log(`${passed} passed, ${checks.length - passed} failed`);
  if (passed === 0 || passed < checks.length) process.exitCode = 1;
}

interface Outcome {
  readonly passed: boolean;
  readonly line: string;
}

async function outcomeOf({ name, body }: Check): Promise<Outcome> {
  try {
    const note = await body();
    return { passed: true, line: `ok    ${name}${note === undefined ? "" : ` (${note})`}` };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { passed: false, line: `FAIL  ${name}\n${message.replace(/^/gm, "      ")}` };
  }
}

/** Throws unless both lists hold the same names, whatever their order; says which are missing and which are too many. */
export function expectSameNames(actual: readonly string[], expected: readonly string[]): void {
  const missing = expected.filter((name) => !actual.includes(name));
  const surplus = actual.filter((name) => !expected.includes(name));
  const problems = [
    ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
    ...(surplus.length > 0 ? [`not expected: ${surplus.join(", ")}`] : []),
  ];
  if (problems.length > 0) throw new Error(problems.join("\n"));
}
