/** Series of a scrape in the text format of Prometheus. */
export interface Scrape {
  readonly size: number;
  get(name: string, labels: { readonly [label: string]: string }): number | undefined;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (\S+)$/;

const keyOf = (name: string, labels: { readonly [label: string]: string }) =>
  JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);

/** Parses a scrape. Throws for an invalid line, a value that is no number, and a series that comes twice. */
export function parseScrape(text: string): Scrape {
  const series = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("# ")) continue;
    const match = LINE.exec(line);
    if (match === null) throw new Error(`invalid line: ${line}`);
    const labels: Record<string, string> = {};
    for (const [, label, value] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[label!] = value!.replace(/\\(.)/g, (_, one: string) => (one === "n" ? "\n" : one));
    }
    const value = Number(match[3]!.replace("Inf", "Infinity"));
    if (Number.isNaN(value) && !/^nan$/i.test(match[3]!)) throw new Error(`invalid number: ${line}`);
    const key = keyOf(match[1]!, labels);
    if (series.has(key)) throw new Error(`series comes twice: ${line}`);
    series.set(key, value);
  }
  return { size: series.size, get: (name, labels) => series.get(keyOf(name, labels)) };
}
