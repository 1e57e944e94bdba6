// A real server on a free port, without files.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Path of a server's program; null: it is not installed. */
export function serverProgram(name = "redis-server"): string | null {
  try {
    return execFileSync("/bin/sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
  } catch {
    return null;
  }
}

/** A server that is running. */
export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  readonly folder: string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a server and waits until it answers. */
export async function startServer(
  program: string,
  args: readonly string[] = [],
  port?: number,
  folder: string = mkdtempSync(join(tmpdir(), "grate-redis-")),
): Promise<RedisServer> {
  const listening = port ?? (await freePort());
  const basics = ["--port", `${listening}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
  const child = spawn(program, [...basics, ...args], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const killAtExit = () => void child.kill("SIGKILL");
  process.once("exit", killAtExit);
  await answers(listening, child);
  return {
    port: listening,
    pid: child.pid!,
    folder,
    async stop(signal = "SIGKILL") {
      process.off("exit", killAtExit);
      child.kill(signal);
      if (signal !== "SIGKILL") setTimeout(() => child.kill("SIGKILL"), 5_000).unref();
      await ended;
      if (port === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A port that no program listens on, below those of clients so that 10,000 can be added. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

async function answers(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("data", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
      socket.write("PING\r\n");
    });
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the server does not answer");
}
