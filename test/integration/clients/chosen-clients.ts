// Clients of this run: those of this folder, or with NEWEST_CLIENTS=1 those of `newest`, which need Node 22.
import { load as present } from "./load.ts";
import { load as newest } from "./newest/load.ts";

/** True for a run with the newest clients. */
export const isNewest: boolean = process.env["NEWEST_CLIENTS"] === "1";
const NEWEST: readonly string[] = ["openai", "@google/genai", "ky", "undici", "fetch", "ai-sdk"];

/** Imports a client. */
export const load: typeof present = isNewest ? newest : present;

/** True if the run includes the client of that name in a table. */
export function isChosen(name: string): boolean {
  return isNewest
    ? NEWEST.some((each) => name === each || name.startsWith(`${each}.`) || name.startsWith(`${each},`))
    : name !== "ai-sdk";
}

/** Path of the folder with the recorded table. */
export const tableFolder: string = isNewest ? "newest" : ".";
