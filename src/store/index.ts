export type { SharedStore } from "grate-limiter";
export type {
  StoreAnswer,
  StoreContract,
  StoreFact,
  StoreMessage,
  StoreQuota,
  StoreQuotaAnswer,
  StoreUsage,
  StoreWant,
} from "../api/store.ts";
export type { CheckedStore } from "./check-process.ts";
export { MemoryStore, memoryStore } from "./memory-store.ts";
export { sharedStore } from "./shared-store.ts";
export { type StoreCheck, storeChecks } from "./store-checks.ts";
