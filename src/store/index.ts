export type {
  SharedStore,
  StoreAnswer,
  StoreContract,
  StoreFact,
  StoreMessage,
  StoreQuota,
  StoreQuotaAnswer,
  StoreUsage,
  StoreWant,
} from "../api/store.ts";
export { sharedStore } from "../fleet/shared-store.ts";
export { memoryStore } from "./memory-store.ts";
