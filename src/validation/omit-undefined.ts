/** Returns a copy of a record without the keys that are undefined, because an undefined option counts as missing. */
export function omitUndefined<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}
