import { availableParallelism } from "node:os";

/** A check that throws if it fails. Its result is printed behind its name. */
export interface Check {
  readonly name: string;
  readonly body: () => Promise<string | undefined> | string | undefined;
}

/**
 * Runs all checks, one per processor at a time, and prints one line for each in the order of the list, then `N passed,
 * N failed`. Sets the exit code. An empty list fails, too.
 */
export async function runChecks(checks: readonly Check[]): Promise<void> {
  const outcomes: (Outcome | undefined)[] = checks.map(() => undefined);
  const queue = checks.entries();
  let printed = 0;
  const worker = async (): Promise<void> => {
    // The workers share one iterator, so each check is taken once.
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

/** Throws unless both lists contain the same names in any order, and lists the missing and the additional ones. */
export function expectSameNames(actual: readonly string[], expected: readonly string[]): void {
  const missing = expected.filter((name) => !actual.includes(name));
  const surplus = actual.filter((name) => !expected.includes(name));
  const problems = [
    ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
    ...(surplus.length > 0 ? [`not expected: ${surplus.join(", ")}`] : []),
  ];
  if (problems.length > 0) throw new Error(problems.join("\n"));
}
