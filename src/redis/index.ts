export type {
  BunRedisClient,
  IoRedisClient,
  NodeRedisClient,
  RedisClient,
  RedisSubscriber,
  SendCommand,
  UpstashClient,
} from "./client.ts";
export { RedisStore, type RedisStoreOptions, redisStore } from "./redis-store.ts";
