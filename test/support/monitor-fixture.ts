// A monitor on a limiter, with counted listeners and fake timers: call `vi.useFakeTimers()` first.
import { GrateLimiter, type GrateLimiterOptions, type Inspection, type LimiterEvents } from "grate-limiter";
import { monitorHandler } from "grate-limiter/monitor";
import { vi } from "vitest";
import type { Message, ProviderRow } from "../../src/monitor/message.ts";

/** Milliseconds between two messages, with a margin for the rounding of the clock. */
export const TICK = 501;

const URL_OF_MONITOR = "http://localhost/monitor";

/** A page that reads the stream. */
export class StreamReader {
  readonly messages: Message[] = [];
  /** Providers as a page knows them after the messages so far. */
  providers: ProviderRow[] = [];
  isClosed = false;
  error: unknown = null;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(response: Response) {
    this.#reader = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  }

  /** Reads one message, or the end. */
  async read(): Promise<Message | null> {
    try {
      const { done, value } = await this.#reader.read();
      if (done) {
        this.isClosed = true;
        return null;
      }
      const message = parseEvent(new TextDecoder().decode(value));
      this.messages.push(message);
      if (message.isFull) this.providers = [];
      for (const [index, row] of message.providers) this.providers[index] = row;
      this.providers.length = message.providerCount;
      return message;
    } catch (error) {
      this.isClosed = true;
      this.error = error;
      return null;
    }
  }

  /** Reads until the end, as fast as the messages come. */
  readAll(): void {
    void (async () => {
      while ((await this.read()) !== null);
    })();
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }

  get last(): Message {
    return this.messages.at(-1)!;
  }
}

/** Parses one server-sent event strictly: perhaps the time before a retry, one line of data, and an empty line. */
function parseEvent(text: string): Message {
  const match = /^(?:retry: \d+\n)?data: ([^\r\n]*)\n\n$/.exec(text);
  if (match === null) throw new Error(`expected one event, got ${JSON.stringify(text.slice(0, 80))}`);
  return JSON.parse(match[1]!) as Message;
}

export class MonitorFixture {
  readonly limiter: GrateLimiter;
  readonly handler: (request: Request) => Promise<Response>;
  /** Number of listeners by event. */
  readonly listeners = new Map<string, number>();
  inspections = 0;
  lastInspection: Inspection | null = null;
  onInspect: () => void = () => {};
  /** Error that the next `inspect` throws. */
  failure: Error | null = null;

  constructor(options: object) {
    this.limiter = new GrateLimiter(options as GrateLimiterOptions);
    const count = (event: string, change: number) => {
      this.listeners.set(event, (this.listeners.get(event) ?? 0) + change);
    };
    const counted = {
      inspect: () => {
        this.inspections++;
        this.onInspect();
        if (this.failure !== null) throw this.failure;
        this.lastInspection = this.limiter.inspect();
        return this.lastInspection;
      },
      on: (event: keyof LimiterEvents, listener: never) => {
        const remove = this.limiter.on(event, listener);
        let isRemoved = false;
        count(event, 1);
        return () => {
          remove();
          if (!isRemoved) count(event, -1);
          isRemoved = true;
        };
      },
    };
    this.handler = monitorHandler(counted as unknown as GrateLimiter, { authorize: () => true, title: "test" });
  }

  get listenerCount(): number {
    return [...this.listeners.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Opens a stream. Nothing is read yet. */
  async open(signal?: AbortSignal): Promise<StreamReader> {
    const headers = { accept: "text/event-stream" };
    const init = signal === undefined ? { headers } : { headers, signal };
    return new StreamReader(await this.handler(new Request(URL_OF_MONITOR, init)));
  }

  /** Opens a stream that is read as fast as it comes, and waits for its first message. */
  async watch(signal?: AbortSignal): Promise<StreamReader> {
    const reader = await this.open(signal);
    reader.readAll();
    await settle();
    return reader;
  }
}

/** Passes time in fake timers, and lets streams settle. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settle();
}

/** Lets pending reads finish. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
