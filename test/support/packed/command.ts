import { spawn } from "node:child_process";

/**
 * The end of a command and its output. The code is null if the command was killed, at its time limit or from outside.
 */
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

/** Runs a command to its end, whatever its exit code is. Rejects if it cannot be started. */
export function run(command: string, args: readonly string[], options: CommandOptions): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      // Colours would have to be removed from the output, and notices of npm are not relevant.
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", npm_config_loglevel: "error", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    // Not the `timeout` of spawn: its timer survives a command that cannot be started, and delays the exit.
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

/** Like `run`, but throws the output unless the command succeeds. Returns the standard output. */
export async function runOrThrow(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await run(command, args, options);
  if (exitCode !== 0)
    throw new Error(`${command} ${args.join(" ")} ${endOf(exitCode)}\n${`${stdout}${stderr}`.trim()}`);
  return stdout;
}

/** Describes the end of a command. */
export function endOf(exitCode: number | null): string {
  return exitCode === null ? "was killed" : `ended with ${exitCode}`;
}
