import type { SharedStore } from "../api/shared-store.ts";
import { Fleet, type StoreContract } from "./fleet.ts";
import type { FleetFactory } from "./fleet-link.ts";

/** Makes the value of the option `store` from an engine. */
export function sharedStore(contract: StoreContract): SharedStore {
  const connect: FleetFactory = (host, options) => new Fleet(host, options, contract);
  return { connect };
}
