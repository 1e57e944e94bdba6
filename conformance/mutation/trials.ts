import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Candidate, Mutant } from "./mutant.ts";
import type { Variant } from "./variant-player.ts";

/** A variant to be put to the fixtures and, if it survives and should be, to the record. */
export interface Task extends Variant {
  readonly isForRecord: boolean;
}

/** What tells a variant from the engine; both null: nothing. */
export interface Outcome {
  /** The name of the first fixture that fails. */
  readonly fixture: string | null;
  /** The name of the first recorded scenario that is answered otherwise. */
  readonly scenario: string | null;
}

/** A mutant, and what came of it. */
export type Tried = Mutant & Outcome;

/** Worker processes that put variants to the trial, side by side. */
export class Trials {
  readonly #workers: readonly ChildProcess[];

  constructor(record: string) {
    // Whatever lets this process read TypeScript lets those, too.
    const worker = () => fork(fileURLToPath(new URL("trial-worker.ts", import.meta.url)), [record]);
    this.#workers = Array.from({ length: Math.min(availableParallelism(), 4) }, worker);
  }

  /** What came of the mutants, in their order. */
  async put(candidates: readonly Candidate[], isForRecord: (mutant: Mutant) => boolean): Promise<Tried[]> {
    const tried: Tried[] = [];
    const waiting = candidates.entries();
    const work = async (worker: ChildProcess) => {
      for (const [place, { mutant, variant }] of waiting) {
        worker.send({ ...(await variant()), isForRecord: isForRecord(mutant) } satisfies Task);
        const [outcome] = (await once(worker, "message")) as [Outcome];
        tried[place] = { ...mutant, ...outcome };
        if ((place + 1) % 100 === 0) console.log(`  ${place + 1} of ${candidates.length}`);
      }
    };
    await Promise.all(this.#workers.map(work));
    return tried;
  }

  close(): void {
    for (const worker of this.#workers) worker.disconnect();
  }
}
