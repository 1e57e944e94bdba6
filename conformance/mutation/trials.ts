import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Candidate, Mutant } from "./mutant.ts";
import type { Variant } from "./variant-player.ts";

/** A variant for the fixtures. `isForRecord`: if it survives, the record runs too. */
export interface Task extends Variant {
  readonly isForRecord: boolean;
}

/** Differences between a variant and the engine. Both null: none was found, so the variant survives. */
export interface Outcome {
  /** Name of the first fixture that fails. */
  readonly fixture: string | null;
  /** Name of the first recorded scenario with a different answer. */
  readonly scenario: string | null;
}

/** A mutant, and the outcome of its trial. */
export type TrialResult = Mutant & Outcome;

/** Worker processes that run trials in parallel. */
export class Trials {
  readonly #workers: readonly ChildProcess[];

  constructor(record: string) {
    // The loader that lets this process read TypeScript works for the workers too.
    const worker = () => fork(fileURLToPath(new URL("trial-worker.ts", import.meta.url)), [record]);
    this.#workers = Array.from({ length: Math.min(availableParallelism(), 4) }, worker);
  }

  /** Runs the trials of all mutants. Returns their results in the order of the mutants. */
  async run(candidates: readonly Candidate[], isForRecord: (mutant: Mutant) => boolean): Promise<TrialResult[]> {
    const results: TrialResult[] = [];
    const queue = candidates.entries();
    const work = async (worker: ChildProcess) => {
      const ended = new AbortController();
      worker.once("exit", (code, signal) => ended.abort(new Error(`a worker ended (${code ?? signal})`)));
      for (const [place, { mutant, variant }] of queue) {
        worker.send({ ...(await variant()), isForRecord: isForRecord(mutant) } satisfies Task);
        const [outcome] = (await once(worker, "message", { signal: ended.signal })) as [Outcome];
        results[place] = { ...mutant, ...outcome };
        if ((place + 1) % 100 === 0) console.log(`  ${place + 1} of ${candidates.length}`);
      }
    };
    await Promise.all(this.#workers.map(work));
    return results;
  }

  close(): void {
    // A worker that ended is disconnected already; a second time would hide the reason.
    for (const worker of this.#workers) if (worker.connected) worker.disconnect();
  }
}
