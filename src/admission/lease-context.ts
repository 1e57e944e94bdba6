import type { Decision } from "../api/decision.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Due, TimerHeap } from "../clock/timer-heap.ts";
import type { FleetLink } from "../fleet/fleet-link.ts";
import type { ObservationContext } from "../observation/apply-observation.ts";
import type { Capability } from "../provider/capability.ts";
import type { KeyQuotas } from "../provider/key-limits.ts";
import type { Provider, ProviderState } from "../provider/provider.ts";
import type { Demand } from "../quota/usage-vector.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { OpenLeasesByName } from "./open-leases.ts";

/** A provider that a lease is granted on, and the request that it is granted for. */
export interface Candidate {
  readonly provider: Provider;
  readonly capability: Capability;
  readonly state: ProviderState;
  readonly needs: Demand;
  readonly decision: Decision;
  readonly request: RequestSpec;
  /** Limits of the key of the request; null: none. */
  readonly keyQuotas: KeyQuotas | null;
}

/** The parts of a limiter that its leases and its wait queue use. */
export interface LeaseContext extends ObservationContext {
  readonly skewCapMs: number;
  /** Leases that change by themselves, by their next instants. */
  readonly leases: TimerHeap<Due>;
  readonly openLeases: OpenLeasesByName;
  /** Null: the limits are not shared. */
  readonly fleet: FleetLink | null;
  /** Gives the provider the limits that a response has shown. `status`: null while the request goes on. */
  discoverLimits(provider: Provider, reported: unknown, status: StatusClass | null, now: number): void;
  /** Capacity might have become available. */
  capacityFreed(): void;
  beginStep(): number;
  endStep(): void;
  /** Calls `act` once, when the signal aborts or at `atMs`; returns its cancel. */
  watch(signal: AbortSignal | undefined, atMs: number, act: () => void): () => void;
}
