import type { Decision } from "../api/decision.ts";
import type { ObservationContext } from "../observation/apply-observation.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider, ProviderState } from "../provider/provider.ts";
import type { Demand } from "../quota/usage-vector.ts";
import type { ActiveLease } from "./active-lease.ts";
import type { Due, TimerHeap } from "./timer-heap.ts";

/** Whom a lease is granted from. */
export interface Candidate {
  readonly provider: Provider;
  readonly capability: Capability;
  readonly state: ProviderState;
  readonly needs: Demand;
  readonly decision: Decision;
}

/** What a lease asks of the limiter that granted it. */
export interface LeaseContext extends ObservationContext {
  readonly skewCapMs: number;
  /** Leases that something comes due of. */
  readonly held: TimerHeap<HeldLease>;
  /** Room may have come. */
  capacityFreed(): void;
  beginStep(): number;
  endStep(): void;
}

/** A lease's place among those of which something comes due. */
export interface HeldLease extends Due {
  readonly lease: ActiveLease;
}
