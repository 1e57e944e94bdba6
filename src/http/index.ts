export type { Dialect, HeaderReader } from "./dialect.ts";
export type { DialectName } from "./dialects/dialects.ts";
export { classifyHttp, reportedLimits } from "./reported-limits.ts";
