// The cases that every client meets, and the bodies in which vendors say what is wrong.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Answer of a server. */
export interface Case {
  readonly name: string;
  readonly status: number;
  readonly headers?: { readonly [name: string]: string };
  readonly code?: string;
}

const refusal = (status: number, code: string, headers = {}): Case => ({ name: String(status), status, code, headers });

/** Case without an answer. */
export type Silence = "refused" | "reset" | "time-out";
export const SILENCES: readonly Silence[] = ["refused", "reset", "time-out"];

export const CASES: readonly Case[] = [
  { ...refusal(429, "rate_limit_exceeded", { "retry-after": "7" }), name: "429 Retry-After: 7" },
  refusal(500, "server_error"),
  refusal(503, "service_unavailable"),
  refusal(401, "invalid_api_key"),
  refusal(403, "permission_denied"),
  refusal(413, "request_too_large"),
  { ...refusal(400, "context_length_exceeded"), name: "400 context_length_exceeded" },
];

/** Body of an error in the shape of a vendor. */
export type Body = (status: number, code: string) => unknown;

const message = "No.";
export const BODIES = {
  openai: (_, code) => ({ error: { message, type: code, param: null, code } }),
  anthropic: (_, code) => ({ type: "error", error: { type: code, message } }),
  google: (status, code) => ({ error: { code: status, message, status: code.toUpperCase() } }),
  flat: (status, code) => ({ message, code, status }),
  mistral: (status, code) => ({ object: "error", message, type: code, param: null, code, raw_status_code: status }),
  graphql: (_, code) => ({ errors: [{ message, extensions: { code } }] }),
} satisfies { readonly [vendor: string]: Body };

export interface Started {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a server that answers every request with the case, in the shape of a vendor. */
export async function start(what: Case | Silence, body: Body): Promise<Started> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      if (what === "reset") response.socket!.resetAndDestroy();
      if (typeof what === "string") return;
      response.writeHead(what.status, { "content-type": "application/json", ...what.headers });
      response.end(JSON.stringify(body(what.status, what.code ?? "")));
    });
    // Clients that reset the connection themselves.
    request.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  if (what === "refused") await close();
  return { url: `http://127.0.0.1:${port}`, close: what === "refused" ? async () => {} : close };
}
