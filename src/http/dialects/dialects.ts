import type { Dialect, HeaderReader } from "../dialect.ts";
import { generic } from "./generic.ts";

/** All dialects. The first that detects a response reads it; the generic one is the last. */
const DIALECTS: readonly Dialect[] = [generic];

/** The dialect of that name. Without a name, or with an unknown one: the first that detects the headers or the host. */
export function dialectOf(name: string | undefined, header: HeaderReader, host: string): Dialect {
  return (
    DIALECTS.find((dialect) => dialect.name === name) ??
    DIALECTS.find((dialect) => dialect.detects(header, host)) ??
    generic
  );
}
