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
export type { CheckedStore } from "./check-process.ts";
export { MemoryStore, memoryStore } from "./memory-store.ts";
export { type StoreCheck, storeChecks } from "./store-checks.ts";
