import * as grate from "grate-limiter";
import { askAll, report } from "./scenario.ts";

report(grate, import.meta.resolve("grate-limiter"), askAll(grate));
