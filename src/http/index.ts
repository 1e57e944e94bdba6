export type { DialectName } from "grate-limiter";
export type { Dialect, HeaderReader } from "./dialect.ts";
export { type LimitedFetchOptions, limitedFetch } from "./limited-fetch.ts";
export type { HttpNeeds, HttpRequest } from "./outgoing-request.ts";
export { type Refused, refusalResponse } from "./refusal-response.ts";
export { classifyHttp, reportedLimits } from "./reported-limits.ts";
export { type RoutedFetchOptions, routedFetch } from "./routed-fetch.ts";
export type { RoutedTarget } from "./target-request.ts";
