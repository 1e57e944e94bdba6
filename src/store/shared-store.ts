import type { SharedStore } from "grate-limiter";
import type { StoreContract } from "../api/store.ts";
import { Fleet } from "../fleet/fleet.ts";
import type { FleetFactory } from "../fleet/fleet-link.ts";
import { fleetOptions, hostOf } from "../fleet/limiter-host.ts";

/**
 * Makes the value of the option `store` from an engine of your own. The engine has the state of all processes; the limiters
 * ask it in one step at a time.
 */
export function sharedStore(contract: StoreContract): SharedStore {
  const connect: FleetFactory = (limiter, time, rankProviders, options) => {
    const fleet = new Fleet(hostOf(limiter, time, rankProviders, options), fleetOptions(options), contract);
    fleet.reconfigured(time.now);
    return fleet;
  };
  return { connect };
}
