import { createInterface } from "node:readline";

/** What one line of work took, in processor time; `check` is made of all that was read, so that nothing can be left out. */
export interface Answer {
  readonly ns: number;
  readonly check: number;
}

/** Does so many operations, and answers what was read of their results. */
export type Operations = (count: number) => number | Promise<number>;

/** The loop of a side: the first line of stdin sets it up, every further one is a number of operations. */
export async function answerLines(setUp: (setup: never) => Operations | Promise<Operations>): Promise<void> {
  let operate: Operations | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    let answer: Answer = { ns: 0, check: 0 };
    if (operate === undefined) {
      operate = await setUp(JSON.parse(line) as never);
    } else {
      const start = process.cpuUsage();
      // Work that needs no promise does not wait for one.
      const done = operate(Number(line));
      const check = typeof done === "number" ? done : await done;
      // All threads of the process, those that compile and collect garbage included.
      const { user, system } = process.cpuUsage(start);
      answer = { ns: (user + system) * 1_000, check };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
