import { spawn } from "node:child_process";

/** How a command ended, and what it printed; the code is null if it was killed, at its time limit or by others. */
export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface CommandOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeLimitMs?: number;
}

const TIME_LIMIT_MS = 300_000;

/** Runs a command to its end, whatever its exit code; rejects if it cannot be started. */
export function run(command: string, args: readonly string[], options: CommandOptions): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      // Colours would have to be taken out of what is read; npm's notices are no findings.
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", npm_config_loglevel: "error", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    // Not the `timeout` of spawn: its timer outlives a command that cannot be started, and holds up the exit.
    const timeLimit = setTimeout(() => child.kill("SIGKILL"), options.timeLimitMs ?? TIME_LIMIT_MS);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", (error) => {
      clearTimeout(timeLimit);
      reject(error);
    });
    child.on("close", (exitCode) => {
      clearTimeout(timeLimit);
      resolve({ exitCode, stdout, stderr });
    });
  });
}

/** As `run`, but throws what the command printed unless it succeeds; answers its standard output. */
export async function runOrThrow(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await run(command, args, options);
  if (exitCode !== 0)
    throw new Error(`${command} ${args.join(" ")} ${endOf(exitCode)}\n${`${stdout}${stderr}`.trim()}`);
  return stdout;
}

/** The end of a command in words. */
export function endOf(exitCode: number | null): string {
  return exitCode === null ? "was killed" : `ended with ${exitCode}`;
}
