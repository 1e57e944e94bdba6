// A fetch-style handler cannot see to which address its server is bound. It can see which host the client asked for. A browser
// sends the host of the address bar, which a page of another site cannot change: a site that resolves its own name to
// 127.0.0.1 (DNS rebinding) is refused by that name.
import { type WebRequest, web } from "./web.ts";

/** Headers of proxies. A request with one of them has passed a proxy, so its client might be anywhere. */
const PROXY_HEADERS = [
  ...["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"],
  ...["cf-connecting-ip", "true-client-ip", "fly-client-ip", "x-client-ip", "x-cluster-client-ip"],
];

/** True if the URL and the Host header of the request have a name of the loopback, and no proxy has passed it on. */
export function isLoopbackRequest({ url, headers }: WebRequest): boolean {
  const host = headers.get("host");
  if (!isLoopbackUrl(url) || (host !== null && !isLoopbackUrl(`http://${host}`))) return false;
  return PROXY_HEADERS.every((name) => headers.get(name) === null);
}

function isLoopbackUrl(url: string): boolean {
  try {
    // The parser writes each IPv4 and IPv6 address in one way.
    return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(new web.URL(url).hostname);
  } catch {
    return false;
  }
}
