import type { ReportedQuota } from "grate-limiter";
import type { Dialect, HeaderReader } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";

const LONGEST = 1_024;
const LEGACY = [{ dimension: "requests", names: "ratelimit-*" }] as const;

/** Parameters of the items of a list such as `"burst";q=100;w=60, "day";q=1000;w=86400`, by their names. */
function itemsOf(text: string | null): Map<string, ReadonlyMap<string, number>> {
  const items = new Map<string, ReadonlyMap<string, number>>();
  for (const item of (text ?? "").slice(0, LONGEST).split(",")) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim());
    // `limit=100` is an older form that has no names.
    if (name === "" || name.includes("=")) continue;
    const values = new Map<string, number>();
    for (const parameter of parameters) {
      const [, key, value] = /^([a-z]{1,4})=(\d{1,15})$/.exec(parameter) ?? [];
      // Amounts of another unit are no requests.
      if (parameter.startsWith("qu=") && !/requests/.test(parameter)) values.set("other", 1);
      else if (key !== undefined) values.set(key, Number(value));
    }
    items.set(name, values);
  }
  return items;
}

function policiesIn(header: HeaderReader): ReportedQuota[] {
  const policies = itemsOf(header("ratelimit-policy"));
  return [...itemsOf(header("ratelimit"))].flatMap(([name, state]): ReportedQuota[] => {
    const policy = policies.get(name);
    const [remaining, reset, limit, seconds] = [state.get("r"), state.get("t"), policy?.get("q"), policy?.get("w")];
    if (limit === 0 || policy?.has("other") || (remaining === undefined && limit === undefined)) return [];
    return [
      {
        dimension: "requests",
        ...(seconds && { window: { seconds } }),
        ...(limit !== undefined && { limit }),
        ...(remaining !== undefined && { remaining }),
        ...(reset !== undefined && { resetMs: reset * 1_000, resolutionMs: 1_000 }),
      },
    ];
  });
}

/** `RateLimit` and `RateLimit-Policy` of the IETF draft, and the three older headers. */
export const ietf: Dialect = {
  name: "ietf",
  hosts: [],
  isKnownBy: (header) => ["ratelimit-policy", "ratelimit", "ratelimit-limit"].some((name) => header(name) !== null),
  reported(header, epochMs) {
    const policies = policiesIn(header);
    return policies.length > 0 ? policies : limitsIn(LEGACY, header, epochMs);
  },
  errorBody: (message, status) => ({ title: message, status }),
};
