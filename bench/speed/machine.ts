import { spawnSync } from "node:child_process";
import { cpus, loadavg, totalmem } from "node:os";

/** Hardware, software and load of the run. It contains no name of the machine. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** Load average of the last minute, before the run and after it. */
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly versions: { readonly [name: string]: string };
}

export function machineBefore(): Omit<Machine, "loadAfter"> {
  const said = (command: string, pattern: RegExp): string | undefined =>
    pattern.exec(spawnSync(command, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[1];
  const versions = {
    node: process.versions.node,
    v8: process.versions.v8,
    rustc: said("rustc", /rustc ([\d.]+)/) ?? "none",
    python: said("python3", /Python ([\d.]+)/) ?? "none",
  };
  return {
    processor: `${cpus()[0]?.model ?? "unknown"} (${process.arch})`,
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    loadBefore: loadavg()[0]!,
    versions,
  };
}
