import { exhaustedCalls, lostCalls, type ScenarioReport } from "./scenario.ts";

/** Sums of a scenario over all of its seeds. */
export class ScenarioTable {
  readonly #title: string;
  readonly #rows = new Map<string, Row>();

  constructor(title: string) {
    this.#title = title;
  }

  /** Adds a report to a row. `notes` are numbers of which the row has the maximum. */
  add(row: string, report: ScenarioReport, notes: { readonly [name: string]: number } = {}): void {
    const sums = this.#rows.get(row) ?? { ...NO_ROW, notes: {} };
    this.#rows.set(row, sums);
    const lost = lostCalls(report).length;
    sums.plays++;
    sums.calls += report.calls.length;
    sums.served += report.calls.filter(({ isServed }) => isServed).length;
    sums.lost += lost;
    sums.losing += Number(lost > 0);
    sums.exhausted += exhaustedCalls(report).length;
    sums.sent += report.sent;
    sums.refused += report.refused;
    sums.seconds += report.endMs / 1_000;
    for (const [name, value] of Object.entries(notes)) sums.notes[name] = Math.max(sums.notes[name] ?? 0, value);
  }

  get lost(): number {
    return [...this.#rows.values()].reduce((sum, { lost }) => sum + lost, 0);
  }

  toString(): string {
    const head = ["", "plays", "calls", "served", "LOST", "in plays", "3 fails", "sent", "429s", "mean s", "at most"];
    const rows = [...this.#rows]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, row]) => [
        ...[name, row.plays, row.calls, row.served, row.lost, row.losing, row.exhausted, row.sent, row.refused],
        (row.seconds / row.plays).toFixed(1),
        Object.entries(row.notes)
          .map(([note, value]) => `${note} ${Number(value.toFixed(1))}`)
          .join(", "),
      ]);
    const cells = [head, ...rows].map((row) => row.map(String));
    const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
    const lines = cells.map((row) =>
      row
        .map((cell, i) => (i === 0 || i === row.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join("  ")
        .trimEnd(),
    );
    return [this.#title, ...lines].join("\n");
  }
}

interface Row {
  plays: number;
  calls: number;
  served: number;
  lost: number;
  losing: number;
  exhausted: number;
  sent: number;
  refused: number;
  seconds: number;
  notes: { [name: string]: number };
}

const NO_ROW = { plays: 0, calls: 0, served: 0, lost: 0, losing: 0, exhausted: 0, sent: 0, refused: 0, seconds: 0 };
