/** The first whole number of ms, at least 1, after which `atMs` has come, however the sum of instants rounds; 0 if it has. */
export function wholeMsUntil(atMs: number, now: number): number {
  if (atMs <= now) return 0;
  const ms = Math.ceil(atMs - now);
  if (ms > 1 && now + ms - 1 >= atMs) return ms - 1;
  return now + ms >= atMs ? ms : ms + 1;
}
