/** Smallest whole number of milliseconds after which `atMs` is reached, also if the sum of instants is rounded. 0: it is reached. */
export function wholeMsUntil(atMs: number, now: number): number {
  if (atMs <= now) return 0;
  const ms = Math.ceil(atMs - now);
  if (ms > 1 && now + ms - 1 >= atMs) return ms - 1;
  return now + ms >= atMs ? ms : ms + 1;
}
