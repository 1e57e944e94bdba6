import {
  GrateLimiter,
  type GrateLimiterOptions,
  type LimiterEvents,
  type RunOptions,
  type RunResult,
  type StreamOptions,
} from "../../../src/index.ts";
import { ask, askStreaming, type Piece } from "./chat-dialect.ts";
import type { Upstream } from "./scripted-upstream.ts";

export type ProviderName = "primary" | "fallback";

/** The pieces that a stream returned and its error. */
export interface Read {
  readonly provider: ProviderName;
  readonly attempts: RunResult<unknown, ProviderName>["attempts"];
  readonly pieces: readonly Piece[];
  /** null: the stream ended regularly. */
  readonly error: unknown;
}

/** A chat program with two models, one of them preferred. With one server: a program with one model. */
export class Chat {
  readonly limiter: GrateLimiter<ProviderName, { chat: ProviderName }>;
  /** The endings of the leases, in order. */
  readonly endings: { readonly provider: ProviderName; readonly status: string }[] = [];
  readonly #upstreams: { readonly [name in ProviderName]: Upstream };

  constructor(
    primary: Upstream,
    fallback: Upstream | null = null,
    options: GrateLimiterOptions<ProviderName, { chat: ProviderName }> = {},
  ) {
    this.#upstreams = { primary, fallback: fallback ?? primary };
    const names: readonly ProviderName[] = fallback === null ? ["primary"] : ["primary", "fallback"];
    const limits = { tpm: 10_000 };
    this.limiter = new GrateLimiter<ProviderName, { chat: ProviderName }>({
      providers: names.map((name) => ({ name, limits, priority: name === "primary" ? 10 : 5 })),
      capabilities: { chat: names },
      ...options,
    });
    this.limiter.on("leaseSettled", ({ lease, status }: LimiterEvents<ProviderName>["leaseSettled"]) => {
      this.endings.push({ provider: lease.provider, status });
    });
  }

  /** Makes one request with `run`. `fetch` resolves with any response of the server. */
  run(options: RunOptions<ProviderName> = {}): Promise<RunResult<Response, ProviderName>> {
    return this.limiter.run(
      "chat",
      ({ provider, signal }) => ask(this.#upstreams[provider].url, `${provider}-model`, signal),
      { tokens: 100, ...options },
    );
  }

  /** Makes one request with `stream` and reads the stream to its end. */
  async stream(
    options: StreamOptions<ProviderName> = {},
    read?: (body: ReadableStream<Uint8Array>) => AsyncGenerator<Piece>,
  ): Promise<Read> {
    const { value, provider, attempts } = await this.limiter.stream(
      "chat",
      ({ provider, signal }) => askStreaming(this.#upstreams[provider].url, `${provider}-model`, signal, read),
      { tokens: 100, ...options },
    );
    const pieces: Piece[] = [];
    try {
      for await (const piece of value) pieces.push(piece);
    } catch (error) {
      return { provider, attempts, pieces, error };
    }
    return { provider, attempts, pieces, error: null };
  }

  /** Requests in flight at all providers. */
  get inFlight(): number {
    return this.limiter.inspect().providers.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }
}

/** The statuses of attempts, each with its provider. */
export function tried(attempts: readonly { readonly provider: string; readonly status: string }[]): string[] {
  return attempts.map(({ provider, status }) => `${provider}: ${status}`);
}
