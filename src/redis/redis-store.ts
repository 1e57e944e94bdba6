// A store on Redis or Valkey: one script per exchange, on the client of the application.
//
//   EVALSHA; on NOSCRIPT, after a restart or SCRIPT FLUSH: EVAL
//
// Regimes: nothing is sent again here. A client may send a command late or twice, which the script bears.

import { InvalidConfig } from "grate-limiter";
import {
  type SharedStore,
  type StoreAnswer,
  type StoreContract,
  type StoreMessage,
  sharedStore,
} from "grate-limiter/store";
import { type RedisClient, type RedisSubscriber, type RunScript, scriptRunner } from "./client.ts";
import { channelOf, decodeAnswer, encodeMessage, keysOf } from "./encoding.ts";
import { SCRIPT, SCRIPT_SHA } from "./script.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /** Fleets with different prefixes are independent; default "grate". No braces, because they would change the hash tag. */
  prefix?: string | undefined;
  /** Milliseconds after which an exchange has failed, above 0; default 500. */
  timeoutMs?: number | undefined;
  /**
   * A second client, in subscriber mode, for `watch` of the contract. Limiters do not use it yet: processes that wait ask again.
   *
   * @experimental
   */
  subscriber?: RedisSubscriber | undefined;
}

/** Engine of `redisStore`, without the limiter's part. */
export class RedisStore implements StoreContract {
  readonly timeoutMs: number;
  readonly watch?: NonNullable<StoreContract["watch"]>;
  readonly #run: RunScript;
  readonly #prefix: string;
  readonly #publishes: boolean;

  constructor(client: RedisClient, options: RedisStoreOptions = {}) {
    const { prefix = "grate", timeoutMs = 500, subscriber } = options;
    const problems: InvalidConfig["problems"][number][] = [];
    const run = scriptRunner(client);
    if (run === null) {
      const expected = "a client of ioredis, iovalkey, redis, @upstash/redis or Bun, or a function";
      problems.push({ path: "client", expected, got: kindOf(client) });
    }
    if (typeof prefix !== "string" || prefix === "" || /[{}]/.test(prefix)) {
      const got = typeof prefix === "string" ? JSON.stringify(prefix) : kindOf(prefix);
      problems.push({ path: "prefix", expected: "a text without braces", got });
    }
    if (typeof timeoutMs !== "number" || !(timeoutMs > 0)) {
      problems.push({ path: "timeoutMs", expected: "a number above 0", got: String(timeoutMs) });
    }
    if (subscriber !== undefined && typeof subscriber?.subscribe !== "function") {
      problems.push({ path: "subscriber", expected: "a client with subscribe", got: kindOf(subscriber) });
    }
    if (problems.length > 0) {
      const lines = problems.map(({ path, expected, got }) => `${path}: expected ${expected}, got ${got}`);
      throw new InvalidConfig(problems, lines);
    }
    this.#run = run!;
    this.#prefix = prefix;
    this.timeoutMs = timeoutMs;
    this.#publishes = subscriber !== undefined;
    if (subscriber === undefined) return;
    const subscriptions = new Subscriptions(subscriber);
    this.watch = (group, changed) => subscriptions.add(channelOf(prefix, group), changed);
  }

  async exchange(group: string, message: StoreMessage): Promise<StoreAnswer> {
    const keys = keysOf(this.#prefix, group, message);
    const args = [encodeMessage(message), this.#publishes ? channelOf(this.#prefix, group) : ""];
    let reply: unknown;
    try {
      reply = await this.#run("evalsha", SCRIPT_SHA, keys, args);
    } catch (error) {
      if (!String((error as Error | null)?.message).includes("NOSCRIPT")) throw error;
      reply = await this.#run("eval", SCRIPT, keys, args);
    }
    return decodeAnswer(reply);
  }
}

/**
 * A store on Redis (6.2 or newer) or Valkey (7.2 or newer), also as a cluster. `client`: the application's own client, of
 * ioredis, iovalkey, redis, @upstash/redis or Bun, or a function that sends one command. The store never closes it. Throws
 * InvalidConfig for a client or an option that is invalid.
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): SharedStore {
  return sharedStore(new RedisStore(client, options));
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
