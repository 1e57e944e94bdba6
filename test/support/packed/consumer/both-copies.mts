// A program can contain both copies of the package: its own code imports one, and a CommonJS dependency requires the
// other. Imported by path, because a runtime that can require ES modules returns the ESM copy for `require`.
import { createRequire } from "node:module";
import { type Answer, ask, askAll, expectSame, type Package, report, thrownBy } from "./scenario.ts";

const folder = "./node_modules/grate-limiter/dist";
const imported: Package = await import(`${folder}/index.js`);
const required: Package = createRequire(import.meta.url)(`${folder}/index.cjs`);

const answers: readonly Answer[] = [
  ask("the copies are two", () => expectSame(imported.GrateLimiter === required.GrateLimiter, false)),
  ask("the copies export the same names", () => {
    const names = (copy: Package) =>
      Object.keys(copy)
        .filter((name) => name !== "default" && name !== "module.exports")
        .sort();
    expectSame(names(required), names(imported));
  }),
  ...recognises("ESM", imported, "CommonJS", required),
  ...recognises("CommonJS", required, "ESM", imported),
  ask("a clock of one copy drives a limiter of the other", () => {
    const clock = new required.MockClock();
    const limiter = new imported.GrateLimiter({
      providers: [{ name: "a", limits: { rpm: 1 } }],
      scoring: new required.PriorityScorer(),
      capabilities: { chat: ["a"] },
      clock,
    });
    limiter.observe({ provider: "a", outcome: { status: required.StatusClass.Success } });
    expectSame(limiter.select("chat").waitMs === 0, false);
    clock.advanceSecs(61);
    expectSame(limiter.select("chat").waitMs, 0);
  }),
  ...askAll(required).map(({ question, problem }) => ({ question: `CommonJS copy: ${question}`, problem })),
];

report(required, `${folder}/index.cjs`, answers);

function recognises(one: string, judge: Package, other: string, thrower: Package): readonly Answer[] {
  const limiter = new thrower.GrateLimiter({ providers: [{ name: "a" }], capabilities: { chat: ["a"], none: [] } });
  const errors = {
    UnknownCapability: thrownBy(() => limiter.select("chta" as "chat")),
    UnknownProvider: thrownBy(() => limiter.reviveProvider("b" as "a")),
    NoAvailableProviders: thrownBy(() => limiter.select("none")),
    InvalidConfig: thrownBy(() => limiter.upsertProvider({ name: "" as "a" })),
  };
  const kinds = Object.keys(errors) as (keyof typeof errors)[];
  return [
    ...kinds.map((kind) =>
      ask(`the ${one} copy knows ${kind} of the ${other} copy`, () => {
        const error = errors[kind];
        expectSame(error instanceof judge[kind], false);
        expectSame(judge.GrateLimiterError.is(error), true);
        // Each `is` must accept its own class and reject every other.
        expectSame(
          kinds.filter((asked) => judge[asked].is(error)),
          [kind],
        );
      }),
    ),
    ask(`the ${one} copy knows other errors for other errors`, () => {
      const lookalike = Object.assign(new Error("unknown capability"), { code: "unknown_capability" });
      for (const value of [lookalike, new Error("x"), null, undefined, "unknown_capability", {}]) {
        expectSame(judge.GrateLimiterError.is(value), false);
        for (const kind of kinds) expectSame(judge[kind].is(value), false);
      }
    }),
  ];
}
