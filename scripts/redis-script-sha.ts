// Writes the SHA-1 of the Lua script into src/redis/script.ts. Run it after each change of the script.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { SCRIPT } from "../src/redis/script.ts";

const path = new URL("../src/redis/script.ts", import.meta.url);
const sha = createHash("sha1").update(SCRIPT).digest("hex");
writeFileSync(path, readFileSync(path, "utf8").replace(/SCRIPT_SHA = "[^"]*"/, `SCRIPT_SHA = "${sha}"`));
