// Members of the web's types that this entry uses. The core's configuration names no runtime, and the published types use the
// names only, so that they work with the types of every runtime and with none.

declare global {
  interface Request {}
  interface Response {}
}

/** Members of `AbortSignal`. */
export interface WebSignal {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Members of `Request`. */
export interface WebRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: { get(name: string): string | null };
  readonly signal?: WebSignal | null;
}

/** Members of the controller of a stream. */
export interface StreamController {
  enqueue(chunk: unknown): void;
  close(): void;
  error(reason: unknown): void;
}

/** Source of a stream. */
interface StreamSource {
  start(controller: StreamController): void;
  pull(): Promise<void>;
  cancel(): void;
}

/** Globals of the runtime. Each is read when it is used, so that a test can replace it. */
export const web: {
  readonly Response: new (
    body: unknown,
    init: { readonly status: number; readonly headers: { readonly [name: string]: string } },
  ) => Response;
  readonly ReadableStream: new (source: StreamSource, strategy: { readonly highWaterMark: number }) => object;
  readonly TextEncoder: new () => { encode(text: string): unknown };
  readonly URL: new (url: string) => { readonly hostname: string };
} = globalThis as never;
