import type { StoreAnswer, StoreFact, StoreMessage } from "../api/store.ts";
import type { FleetHost, FleetOptions } from "./fleet-link.ts";

/** Parts of a fleet that a group of it uses. */
export interface GroupContext<Group> {
  readonly host: FleetHost;
  readonly options: FleetOptions;
  readonly timeoutMs: number;
  readonly processId: string;
  exchange(group: string, sent: StoreMessage): Promise<StoreAnswer>;
  groupChanged(group: Group): void;
  /** Looks at the wait queue again. */
  collectWants(): void;
  failed(group: Group, error: unknown): void;
  answered(group: Group, tookMs: number): void;
  /** Facts that the store has to be told. */
  factsOf(group: Group, now: number): readonly StoreFact[];
  /** The store has accepted `sent`, and holds `facts`. */
  learn(group: Group, sent: readonly StoreFact[], facts: readonly StoreFact[], now: number): void;
}
