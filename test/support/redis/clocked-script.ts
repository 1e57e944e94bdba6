import { SCRIPT } from "../../../src/redis/script.ts";

const TIME = "redis.call('TIME')";

/** A way to send commands in which the script reads the time from a clock of the test, so that histories can be replayed. */
export function withClock(send: (command: string[]) => Promise<unknown>, now: () => number) {
  if (!SCRIPT.includes(TIME)) throw new Error("the script does not read the time");
  const script = SCRIPT.replace(TIME, "{ARGV[3], ARGV[4]}");
  return ([, , ...rest]: string[]): Promise<unknown> => {
    const ms = Math.floor(now());
    return send(["EVAL", script, ...rest, `${Math.floor(ms / 1_000)}`, `${(ms % 1_000) * 1_000}`]);
  };
}
