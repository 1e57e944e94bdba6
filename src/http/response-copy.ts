import { type StreamSource, type WebResponse, type WebStream, web } from "./web.ts";

/** Parts of a response that a new one does not take over from its constructor. */
const OWN_PARTS = ["url", "redirected", "type"] as const;

/** True if the body is a web stream. Other implementations of `fetch` have other streams, which are left alone. */
export function hasStream(response: WebResponse): response is WebResponse & { readonly body: WebStream } {
  return typeof response.body?.getReader === "function";
}

/** Copy of a response with another body. Its `clone` keeps what the copy keeps. */
export function withBody(response: WebResponse, body: unknown): WebResponse {
  const { status, statusText, headers } = response;
  return like(response, new web.Response(body, { status, statusText, headers }));
}

function like(response: WebResponse, copy: WebResponse): WebResponse {
  const { clone } = copy;
  for (const part of OWN_PARTS) define(copy, part, response[part]);
  define(copy, "clone", () => like(response, clone.call(copy)));
  return copy;
}

function define(copy: WebResponse, name: string, value: unknown): void {
  Object.defineProperty(copy, name, { value, configurable: true, writable: true });
}

/** Stream of bytes that reads ahead by at most `readAhead` bytes. */
export function byteStream(source: StreamSource, readAhead: number): WebStream {
  return new web.ReadableStream(source, {
    highWaterMark: readAhead,
    size: (chunk) => (chunk as { readonly byteLength?: number }).byteLength ?? 1,
  });
}
