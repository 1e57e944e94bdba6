// Clients of Redis by their shape. No client is imported.

/** ioredis or iovalkey: a server or a cluster. */
export interface IoRedisClient {
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** node-redis: a server, a pool or a cluster. */
export interface NodeRedisClient {
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** `@upstash/redis`. */
export interface UpstashClient {
  evalsha(sha: string, keys: string[], args: string[]): Promise<unknown>;
  eval(script: string, keys: string[], args: string[]): Promise<unknown>;
}

/** Bun's own client. */
export interface BunRedisClient {
  send(command: string, args: string[]): Promise<unknown>;
}

/** Any other client: a function that sends one command, such as `["EVALSHA", sha, "4", ...]`, and returns its reply. */
export type SendCommand = (command: string[]) => Promise<unknown>;

/** A client of Redis or Valkey, recognised by its methods. */
export type RedisClient = IoRedisClient | NodeRedisClient | UpstashClient | BunRedisClient | SendCommand;

/** A second client for wake-ups, in subscriber mode: ioredis / iovalkey, or node-redis. */
export interface RedisSubscriber {
  subscribe(channel: string, listener?: (message: string) => void): unknown;
  unsubscribe(channel: string): unknown;
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
}

/** Runs a script. */
export type RunScript = (
  command: "eval" | "evalsha",
  script: string,
  keys: string[],
  args: string[],
) => Promise<unknown>;

/** How the client runs a script; null: it is not a client that is known. */
export function scriptRunner(client: unknown): RunScript | null {
  if (typeof client === "function") {
    const send = client as SendCommand;
    return (command, script, keys, args) => send([command.toUpperCase(), script, `${keys.length}`, ...keys, ...args]);
  }
  if (client === null || typeof client !== "object") return null;
  const methods = client as { [name: string]: unknown };
  const has = (name: string) => typeof methods[name] === "function";
  if (has("evalSha") && has("eval")) {
    const redis = client as NodeRedisClient;
    return (command, script, keys, args) =>
      redis[command === "eval" ? "eval" : "evalSha"](script, { keys, arguments: args });
  }
  if (has("call")) {
    const redis = client as IoRedisClient;
    return (command, script, keys, args) => redis.call(command, script, `${keys.length}`, ...keys, ...args);
  }
  if (has("send")) {
    const redis = client as BunRedisClient;
    return (command, script, keys, args) =>
      redis.send(command.toUpperCase(), [script, `${keys.length}`, ...keys, ...args]);
  }
  if (has("evalsha") && has("eval")) {
    const redis = client as UpstashClient;
    return (command, script, keys, args) => redis[command](script, keys, args);
  }
  return null;
}
