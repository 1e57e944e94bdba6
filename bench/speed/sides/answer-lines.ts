import { createInterface } from "node:readline";

/** Processor time of one line of work. `check` depends on all results, so that no work can be optimized away. */
export interface Answer {
  readonly ns: number;
  readonly check: number;
}

/** Does `count` operations and returns a check value of their results. */
export type Operations = (count: number) => number | Promise<number>;

/** The loop of a side. The first line of stdin is the setup, and every later line is a number of operations. */
export async function answerLines(setUp: (setup: never) => Operations | Promise<Operations>): Promise<void> {
  let operate: Operations | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    let answer: Answer = { ns: 0, check: 0 };
    if (operate === undefined) {
      operate = await setUp(JSON.parse(line) as never);
    } else {
      const start = process.cpuUsage();
      // Synchronous work must not pay for a promise.
      const done = operate(Number(line));
      const check = typeof done === "number" ? done : await done;
      // Time of all threads of the process, including those that compile and collect garbage.
      const { user, system } = process.cpuUsage(start);
      answer = { ns: (user + system) * 1_000, check };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
