import type { SharedStore, StoreContract } from "../api/store.ts";
import { Fleet } from "./fleet.ts";
import type { FleetFactory } from "./fleet-link.ts";

/** Makes the value of the option `store` from an engine of your own. */
export function sharedStore(contract: StoreContract): SharedStore {
  const connect: FleetFactory = (host, options) => new Fleet(host, options, contract);
  return { connect };
}
