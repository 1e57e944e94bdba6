// IMF-fixdate, the only form of a date that HTTP servers may send: "Wed, 14 Oct 2026 15:05:35 GMT".
const HTTP_DATE = /^\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

/** Unix ms of a date in an HTTP header; undefined if the text is no such date. */
export function epochOfHttpDate(date: string | undefined): number | undefined {
  const [, day, month, year, ...time] = HTTP_DATE.exec(date ?? "") ?? [];
  const place = MONTHS.indexOf(month ?? "-") / 3;
  if (!Number.isInteger(place)) return undefined;
  const [hours, minutes, seconds] = time.map(Number);
  // Some runtimes cannot parse a leap second.
  return Date.UTC(Number(year), place, Number(day), hours, minutes, seconds);
}
