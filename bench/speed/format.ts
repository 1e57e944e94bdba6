import type { Size } from "../../scripts/bundle-size.ts";
import type { Results } from "./results.ts";

const LEAST_ROUNDS = 5;
const LABELS: { readonly [side: string]: string } = {
  anticipatory: "default profile",
  classic: "classic profile",
  rust: "Rust crate 0.1.1",
  python: "Python package 0.1.1",
  "ours-both": "`select` + `observe`",
  "ours-tryAcquire": "`tryAcquire` + `settle`",
  "ours-acquire": "`acquire` + `settle`, no waiters",
  "ours-acquire-1000-waiting": "`acquire` + `settle`, 1,000 waiters, one provider",
  "ours-run": "`run`",
  none: "the bare call",
};

/** Name of a side for readers. */
export function label(side: string): string {
  return LABELS[side] ?? side;
}

/** Three significant digits; the measurements are not more precise. */
export function number(value: number): string {
  return Number.isNaN(value) ? "not measured" : Number(value.toPrecision(3)).toLocaleString("en");
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

export function kilobytes({ minified, gzipped }: Size): string {
  return `${(minified / 1_000).toFixed(1)} kB minified, ${(gzipped / 1_000).toFixed(1)} kB minified and gzipped`;
}

/** True if the run had too few rounds, or other programs used the machine. */
export function isProvisional({ repetition, machine }: Results): boolean {
  return repetition.processes * repetition.rounds < LEAST_ROUNDS || machine.loadAfter > machine.cores;
}

/** A warning about provisional numbers, or nothing. */
export function caveat(results: Results): string {
  if (!isProvisional(results)) return "";
  return " **These numbers are provisional: the run had fewer than 5 rounds, or other programs used the machine.**";
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** Two series of numbers as text: "100: 3.1, 1,000: 29". */
export function pairs(points: readonly { readonly x: number; readonly y: number }[], unit: string): string {
  return points.map(({ x, y }) => `${x.toLocaleString("en")}: ${number(y)}${unit}`).join(", ");
}

/** The machine, its software and its load. */
export function machineText({ machine }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const load = `Load ${machine.loadBefore.toFixed(1)} before and ${machine.loadAfter.toFixed(1)} after`;
  return `${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB; ${versions.join(", ")}. ${load}`;
}
