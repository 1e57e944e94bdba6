import type { ObservationParts } from "../observation/apply-observation.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider, ProviderState } from "../provider/provider.ts";
import type { Needs } from "../quota/amounts.ts";
import type { Decision } from "../selection/decision.ts";
import type { Due, DueHeap } from "./due-heap.ts";
import type { GrantedLease } from "./granted-lease.ts";

/** Whom a lease is granted from. */
export interface Candidate {
  readonly provider: Provider;
  readonly capability: Capability;
  readonly state: ProviderState;
  readonly needs: Needs;
  readonly decision: Decision;
}

/** What a lease asks of the limiter that granted it. */
export interface LeaseHost extends ObservationParts {
  readonly skewCapMs: number;
  /** Leases that something comes due of. */
  readonly held: DueHeap<HeldLease>;
  /** Room may have come. */
  freed(): void;
  enter(): number;
  leave(): void;
}

/** A lease's place among those of which something comes due. */
export interface HeldLease extends Due {
  readonly lease: GrantedLease;
}
