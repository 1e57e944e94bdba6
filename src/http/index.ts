export type { Dialect, HeaderReader } from "./dialect.ts";
