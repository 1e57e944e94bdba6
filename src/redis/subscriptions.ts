import type { RedisSubscriber } from "./client.ts";

/** Listeners by channel, on one client in subscriber mode. A lost message costs some time only: processes ask again. */
export class Subscriptions {
  readonly #client: RedisSubscriber;
  readonly #listeners = new Map<string, Set<() => void>>();
  #isListening = false;

  constructor(client: RedisSubscriber) {
    this.#client = client;
  }

  /** Calls `changed` for each message; returns its cancel. */
  add(channel: string, changed: () => void): () => void {
    let listeners = this.#listeners.get(channel);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(channel, listeners);
      this.#subscribe(channel);
    }
    const set = listeners.add(changed);
    return () => {
      if (!set.delete(changed) || set.size > 0) return;
      this.#listeners.delete(channel);
      ignoreFailure(() => this.#client.unsubscribe(channel));
    };
  }

  #subscribe(channel: string): void {
    if ("pSubscribe" in this.#client) {
      ignoreFailure(() => this.#client.subscribe(channel, () => this.#notify(channel)));
      return;
    }
    if (!this.#isListening) this.#client.on("message", (from) => this.#notify(from));
    this.#isListening = true;
    ignoreFailure(() => this.#client.subscribe(channel));
  }

  #notify(channel: string): void {
    for (const changed of [...(this.#listeners.get(channel) ?? [])]) changed();
  }
}

/** Calls a method of a client, which might throw or reject while there is no connection. */
function ignoreFailure(act: () => unknown): void {
  new Promise((resolve) => resolve(act())).catch(() => {});
}
