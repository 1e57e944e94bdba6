// Unix time of a date as HTTP servers write it.
//
//   RFC 9110 5.6.7: "Wed, 14 Oct 2026 15:05:35 GMT", "Wednesday, 14-Oct-26 15:05:35 GMT", "Wed Oct 14 15:05:35 2026"
//   ISO 8601:       "2026-10-14T15:05:35.5Z", "2026-10-14 15:05", "2026-10-14"
//   zone suffixes:  GMT, UTC, UT, Z, +0200, +02:00; without one the date is in UTC
//
// Regimes: a year of two digits is the one that is at most 50 years ahead of `epochNow`. Everything else is undefined.

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const TIME = String.raw`(?<h>\d\d):(?<m>\d\d)(?::(?<s>\d\d(?:\.\d{1,9})?))?`;
const ZONE = String.raw`(?: ?(?:GMT|UTC?|Z|(?<sign>[+-])(?<zh>\d\d):?(?<zm>\d\d)))?$`;
const FORMS: readonly RegExp[] = [
  String.raw`^(?:\w{3,9},? )?(?<d>\d\d?)[ -](?<mon>\w{3})[ -](?<y>\d{4}|\d\d) ${TIME}${ZONE}`,
  String.raw`^\w{3} (?<mon>\w{3}) (?<d>[ \d]\d) ${TIME} (?<y>\d{4})${ZONE}`,
  String.raw`^(?<y>\d{4})-(?<mo>\d\d)-(?<d>\d\d)(?:[T ]${TIME})?${ZONE}`,
].map((form) => new RegExp(form, "i"));
const LONGEST_DATE = 60;

/** Unix ms of a date in a header; undefined if the text is no date. `epochNow` is called for a year of two digits. */
export function epochOfHttpDate(date: string | undefined, epochNow: () => number = Date.now): number | undefined {
  if (date === undefined || date.length > LONGEST_DATE) return undefined;
  for (const form of FORMS) {
    const parts = form.exec(date)?.groups;
    if (parts === undefined) continue;
    const { mon, mo, d, h = 0, m = 0, s = 0, sign, zh = 0, zm = 0, y } = parts;
    const place = mon === undefined ? Number(mo) - 1 : MONTHS.toLowerCase().indexOf(mon.toLowerCase()) / 3;
    const isValid = Number.isInteger(place) && place >= 0 && place < 12 && Number(d) >= 1 && Number(d) <= 31;
    // A leap second is 60; some runtimes cannot parse it.
    if (!isValid || Number(h) > 24 || Number(m) > 59 || Number(s) >= 61) return undefined;
    const zoneMs = (Number(zh) * 60 + Number(zm)) * 60_000 * (sign === "-" ? -1 : 1);
    let year = Number(y);
    if (y!.length === 2) {
      const thisYear = new Date(epochNow()).getUTCFullYear();
      year += thisYear - (thisYear % 100);
      if (year > thisYear + 50) year -= 100;
    }
    return Date.UTC(year, place, Number(d), Number(h), Number(m)) + Math.round(Number(s) * 1_000) - zoneMs;
  }
  return undefined;
}
