import type * as Scenario from "./scenario.ts";

const grate: Scenario.Package = require("grate-limiter");
const { askAll, report }: typeof Scenario = require("./scenario.ts");

report(grate, require.resolve("grate-limiter"), askAll(grate));
