// Members of the web's types that this entry uses. The core's configuration names no runtime, and the published types use the
// names only, so that they work with the types of every runtime and with none.

declare global {
  interface Request {}
  interface RequestInit {}
  interface Response {}
  interface URL {}
}

/** Function with the signature of the global `fetch`. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Members of `AbortSignal`. */
export interface WebSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Members of `Headers`. */
export interface WebHeaders {
  get(name: string): string | null;
  has(name: string): boolean;
  set(name: string, value: string): void;
  delete(name: string): void;
}

/** Members of a reader of a `ReadableStream`. */
export interface WebReader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
  cancel(reason?: unknown): Promise<void>;
}

/** Members of `ReadableStream`. */
export interface WebStream {
  getReader(): WebReader;
}

/** Members of the controller of a stream. */
export interface StreamController {
  readonly desiredSize: number | null;
  enqueue(chunk: unknown): void;
  close(): void;
  error(reason: unknown): void;
}

/** Source of a stream. */
export interface StreamSource {
  start?(controller: StreamController): void;
  pull(controller: StreamController): Promise<void> | void;
  cancel(reason: unknown): Promise<void> | void;
}

/** Members of `Response`. */
export interface WebResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly headers: WebHeaders;
  readonly url: string;
  readonly redirected: boolean;
  readonly type: string;
  readonly body: WebStream | null;
  clone(): WebResponse;
}

/** Members of `Request`. */
export interface WebRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: WebHeaders;
  readonly body: unknown;
  readonly signal: WebSignal;
}

/** Members of `RequestInit`. */
export interface WebInit {
  readonly method?: string;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly signal?: WebSignal | null;
}

type ByteStrategy = { readonly highWaterMark: number; size(chunk: unknown): number };

/** Globals of the runtime. Each is read when it is used, so that a test can replace it. */
export const web: {
  readonly fetch: Fetch;
  readonly Response: new (
    body: unknown,
    init: { readonly status: number; readonly statusText?: string; readonly headers: unknown },
  ) => WebResponse;
  readonly Request: new (url: string, init: unknown) => WebRequest;
  readonly Headers: new (from?: unknown) => WebHeaders;
  readonly ReadableStream: new (source: StreamSource, strategy: ByteStrategy) => WebStream;
  readonly TextDecoder: new () => { decode(bytes?: Uint8Array, options?: { readonly stream: boolean }): string };
  readonly AbortController: new () => { readonly signal: WebSignal; abort(reason: unknown): void };
  readonly URL: new (url: string) => WebUrl;
} = globalThis as never;

/** Members of `URL`. */
interface WebUrl {
  readonly origin: string;
  readonly href: string;
  readonly searchParams: Iterable<readonly [name: string, value: string]> & {
    has(name: string): boolean;
    set(name: string, value: string): void;
  };
  readonly pathname: string;
  readonly search: string;
}
