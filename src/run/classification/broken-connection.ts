// Failures without an answer: aborts, time-outs and broken connections, by families of names, codes and messages.
//
// Regimes: the first rule that matches decides. Errors of files and child processes have a `path` or a `syscall` of their
// own and are unknown. A message counts as a whole, and only that of a TypeError, which is what `fetch` throws.
// Sources: Node, Bun, Deno, Chrome, Firefox, Safari, React Native, Workers; undici, axios, got, superagent, the SDKs.

import type { ForeignReader } from "./foreign-object.ts";

/** A failure without an answer. "unsent": no connection was made. */
export type BrokenConnection = "abort" | "timeout" | "unsent timeout" | "unsent" | "broken";

type Rule = readonly [pattern: RegExp, failure: BrokenConnection];

const NAMES: readonly Rule[] = [
  [/^(AbortError|APIUserAbortError|CanceledError|CancelError|CancelledError|RequestAbortedError)$/, "abort"],
  [/^((API)?(Connection|Connect|Request|Headers|Body|Response|Cohere)?TimeoutError|TimedOut)$/, "timeout"],
];
/** Names that say less than the cause of the error. */
const WRAPPERS: readonly Rule[] = [
  [/^(APIConnectionError|StripeConnectionError|ConnectionError)$/, "broken"],
  [/^(ConnectionRefused|AddrNotAvailable)$/, "unsent"],
  [/^(ConnectionReset|ConnectionAborted|BrokenPipe|UnexpectedEof|NetworkError)$/, "broken"],
];

const CODES: readonly Rule[] = [
  [/^(ABORT_ERR|ABORTED|ERR_CANCELED|UND_ERR_ABORTED)$/, "abort"],
  [/^(UND_ERR_CONNECT_TIMEOUT|ERR_SOCKET_CONNECTION_TIMEOUT|ERR_TLS_HANDSHAKE_TIMEOUT)$/, "unsent timeout"],
  [/^(ETIMEDOUT|ESOCKETTIMEDOUT|ECONNABORTED|ETIME|ETIMEOUT|Timeout|UND_ERR_\w{1,20}_TIMEOUT)$/, "timeout"],
  [/^(ECONNREFUSED|ENOTFOUND|EAI_\w{1,20}|E(NET|HOST)(UNREACH|DOWN)|EADDRNOTAVAIL)$/, "unsent"],
  [/^(ConnectionRefused|FailedToOpenSocket|DNS\w{1,30}|ERR_DNS_\w{1,30})$/, "unsent"],
  // Certificates.
  [/^(CERT_|CRL_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|ERR_TLS_CERT)/, "unsent"],
  [/^(ECONNRESET|EPIPE|EPROTO|ENETRESET|ENOTCONN|ESHUTDOWN|ERR_NETWORK|ConnectionReset|ConnectionClosed)$/, "broken"],
  [/^(HPE_|ERR_SSL_|ERR_SOCKET_CLOSED)/, "broken"],
  // The others of these families are mistakes of the program.
  [/^ERR_TLS_(?!INVALID|REQUIRED|PSK|PROTOCOL|RENEG|SNI|DH|ALPN)/, "broken"],
  [/^UND_ERR_(?!INVALID|NOT_|REQ_|RESPONSE_STATUS)/, "broken"],
  [/^ERR_STREAM_(?!NULL|WRITE_AFTER|CANNOT|UNABLE|ALREADY|PUSH|UNSHIFT|WRAP|INVALID)/, "broken"],
  [
    /^ERR_HTTP2_(ERROR|STREAM_(ERROR|CANCEL)|SESSION_ERROR|GOAWAY|INVALID_SESSION|PING_CANCEL|SOCKET|NO_SOCKET|OUT_OF)/,
    "broken",
  ],
];

/** Steps of a connection. A failure of one of them means that nothing was sent, whatever its code is. */
const CONNECTING = /^(connect|getaddrinfo|query[A-Z]?\w{0,20})$/;

const FETCH_FAILED: readonly Rule[] = [
  [/^(fetch failed|terminated|network error|Error in input stream)$/, "broken"],
  [/^(Failed to fetch|Load failed)( \([^()]{1,100}\))?$/, "broken"],
  [/^(NetworkError when attempting to fetch resource\.|Network request failed|Network connection lost\.)$/, "broken"],
  [/^(The network connection was lost\.|error reading a body from connection)$/, "broken"],
  [/^(The Internet connection appears to be offline\.|Could not connect to the server\.)$/, "unsent"],
  [/^A server with the specified hostname could not be found\.$/, "unsent"],
  [/^(Network request timed out|The request timed out\.)$/, "timeout"],
  [/^error sending request (from \S{1,60} )?for (url )?/, "broken"],
];
const MISTAKE =
  /^(unknown scheme|bad port|URL scheme|invalid |unexpected redirect|redirect |failed to fetch the data)/i;
const MAX_MESSAGE = 300;
const MAX_CODE = 64;
/** Bun calls the address of a request its path. */
const URL_PATH = /^[a-z]{1,10}:\/\//;

/** Failure by the names and the code of the error itself; undefined: they are unknown. */
export function brokenByName(
  error: object,
  names: readonly string[],
  reader: ForeignReader,
): BrokenConnection | undefined {
  // Cohere has no other sign of a time-out.
  if (reader.get(error, "cause") === "timeout") return "timeout";
  const named = ruleOf(NAMES, names);
  if (named !== undefined) return named;
  const code = reader.get(error, "code");
  const path = reader.get(error, "path");
  if (typeof code !== "string" || code.length > MAX_CODE || (typeof path === "string" && !URL_PATH.test(path)))
    return undefined;
  const syscall = reader.get(error, "syscall");
  const known = ruleOf(CODES, [code]);
  if (known !== undefined && !(typeof syscall === "string" && syscall.startsWith("spawn"))) return known;
  return typeof syscall === "string" && CONNECTING.test(syscall) ? "unsent" : undefined;
}

/** Failure by what says less than a cause: the name of a wrapper, or the message of a `fetch`. */
export function brokenByMessage(
  error: object,
  names: readonly string[],
  reader: ForeignReader,
): BrokenConnection | undefined {
  const wrapped = ruleOf(WRAPPERS, names);
  if (wrapped !== undefined || !names.includes("TypeError")) return wrapped;
  // The causes that `fetch` states for a mistake of the program: a code that no rule knows, or one of these messages.
  const cause = reader.get(error, "cause");
  const why = reader.get(cause, "message");
  if (typeof reader.get(cause, "code") === "string" || (typeof why === "string" && MISTAKE.test(why))) return undefined;
  const message = reader.get(error, "message");
  return typeof message === "string" ? ruleOf(FETCH_FAILED, [message.slice(0, MAX_MESSAGE)]) : undefined;
}

function ruleOf(rules: readonly Rule[], texts: readonly string[]): BrokenConnection | undefined {
  return rules.find(([pattern]) => texts.some((text) => pattern.test(text)))?.[1];
}
