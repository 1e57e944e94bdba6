// What every store has to do, as checks that run in any test framework.

import { type CheckedStore, CheckProcess, calls, placesQuota, same, windowQuota } from "./check-process.ts";
import { neverAboveLimit } from "./limit-check.ts";

/** One check: `run` rejects if the store does not do what `name` says. Each run has a new group, so they can run together. */
export interface StoreCheck {
  readonly name: string;
  run(): Promise<void>;
}

const GRACE_MS = 550;
const SHORT_TTL_MS = 100;
const TTL_AND_SLACK_MS = SHORT_TTL_MS + 1_050;

type Join = (id?: string) => CheckProcess;
type Check = (join: Join, checked: CheckedStore) => Promise<void>;

/** Waits for the end of the grace of a new group. */
async function opened(join: Join, { passMs }: CheckedStore): Promise<CheckProcess> {
  const first = join();
  await first.accepted({ ttlMs: 600_000 });
  await passMs(GRACE_MS);
  return first;
}

const CHECKS: { readonly [name: string]: Check } = {
  "a call is served in all of its quotas or in none": async (join, checked) => {
    const one = await opened(join, checked);
    const quotas = [windowQuota({ limit: 5 }), windowQuota({ id: "b", limit: 3 }), placesQuota()];
    const answer = await one.accepted({ quotas, wants: calls(4, 1, 1, 1) });
    same(answer.served, [3], "served calls");
    same(
      answer.quotas.map(({ granted, held }) => [granted, held]),
      [
        [3, 3],
        [3, 3],
        [3, 3],
      ],
      "granted and held",
    );
  },
  "nothing is granted in the grace of a new group, except from the spare amount": async (join, { passMs }) => {
    const one = join();
    const early = await one.accepted({ quotas: [windowQuota({ held: 2, spare: 2 })], wants: calls(3, 1) });
    same([early.served, early.quotas[0]?.granted], [[2], 0], "served and granted in the grace");
    await passMs(GRACE_MS);
    const late = await one.accepted({ quotas: [windowQuota({ held: 2, spare: 0 })], wants: calls(1, 1) });
    same([late.served, late.quotas[0]?.granted], [[1], 1], "served and granted afterwards");
  },
  "what is used and held never exceeds the limit in a random history": neverAboveLimit,
  "a repeated message has the same answer and changes nothing": async (join, checked) => {
    const one = await opened(join, checked);
    const first = await one.accepted({ quotas: [windowQuota({ used: [[0, 2]] })], wants: calls(3, 1) });
    const again = await one.repeat(one.last!);
    same(again, first, "answer");
    const next = await one.accepted({ quotas: [windowQuota({ held: 3 })] });
    same(next.quotas, [{ granted: 0, used: 2, held: 3 }], "quotas after it");
  },
  "an overtaken message is stale and changes nothing": async (join, checked) => {
    const one = await opened(join, checked);
    await one.accepted({ quotas: [windowQuota({ held: 9, used: [[0, 9]] })] });
    const old = one.last!;
    await one.accepted({ quotas: [windowQuota({ held: 1 })] });
    same(await one.repeat({ ...old, ledger: 1_000 }), { status: "stale" }, "answer");
    const next = await one.accepted({ quotas: [windowQuota({ held: 1 })] });
    same(next.quotas, [{ granted: 0, used: 9, held: 1 }], "quotas after it");
  },
  "a batch that is sent again with a new turn counts once": async (join, checked) => {
    const one = await opened(join, checked);
    const batch = { ledger: 7, quotas: [windowQuota({ used: [[10, 4]] })] };
    await one.accepted(batch);
    const again = await one.accepted(batch);
    same([again.quotas[0]?.used, again.knownLedger], [4, 7], "usage and known ledger");
  },
  "places of a dead process are free, and its allowance counts as used": async (join, checked) => {
    const one = await opened(join, checked);
    const dead = join();
    await dead.accepted({ ttlMs: SHORT_TTL_MS, quotas: [windowQuota({ held: 4 }), placesQuota({ held: 10 })] });
    const before = await one.accepted({ quotas: [windowQuota(), placesQuota()], wants: calls(1, 1, 1) });
    same([before.served, before.processes], [[0], 2], "served calls and processes before its death");
    await checked.passMs(TTL_AND_SLACK_MS);
    const after = await one.accepted({ quotas: [windowQuota(), placesQuota()], wants: calls(10, 0, 1) });
    same([after.served, after.processes], [[10], 1], "served calls and processes after its death");
    same(
      after.quotas.map(({ used }) => used),
      [4, 0],
      "usage",
    );
  },
  "a process that has waited for longer is served first, and then waits behind the others": async (join, checked) => {
    const [holder, one, two] = [await opened(join, checked), join(), join()];
    await holder.accepted({ quotas: [placesQuota({ held: 10 })] });
    const ask = async (each: CheckProcess, held: number) =>
      (await each.accepted({ quotas: [placesQuota({ held })], wants: calls(5, 1) })).served;
    same([await ask(one, 0), await ask(two, 0)], [[0], [0]], "served while all places are taken");
    await holder.accepted({ quotas: [placesQuota({ held: 9 })] });
    same([await ask(two, 0), await ask(one, 0)], [[0], [1]], "the second one, then the first one");
    await holder.accepted({ quotas: [placesQuota({ held: 8 })] });
    same([await ask(one, 1), await ask(two, 0)], [[0], [1]], "the first one again, then the second one");
  },
  "a process that does not ask again in time loses its place in the queue": async (join, checked) => {
    const [holder, one, two] = [await opened(join, checked), join(), join()];
    await holder.accepted({ quotas: [placesQuota({ held: 10 })] });
    await one.accepted({ quotas: [placesQuota()], wants: calls(1, 1) });
    await holder.accepted({ quotas: [placesQuota({ held: 9 })] });
    await checked.passMs(1_300);
    const answer = await two.accepted({ quotas: [placesQuota()], wants: calls(1, 1) });
    same([answer.served, answer.othersWait], [[1], false], "served calls, and whether others wait");
  },
  "a message of another epoch is answered with the new one and changes nothing": async (join, checked) => {
    const one = await opened(join, checked);
    const { epoch } = one;
    const answer = await one.send({ epoch: "another", quotas: [windowQuota({ held: 3, used: [[0, 3]] })] });
    same(answer, { status: "rebuild", epoch }, "answer");
    const next = await one.accepted({ quotas: [windowQuota()] });
    same(next.quotas, [{ granted: 0, used: 0, held: 0 }], "quotas after it");
  },
  "processes with different limits are each granted up to their own": async (join, checked) => {
    const [old, one] = [await opened(join, checked), join()];
    const first = await old.accepted({ quotas: [windowQuota({ limit: 10 })], wants: calls(9, 1) });
    const lower = await one.accepted({ quotas: [windowQuota({ limit: 5 })], wants: calls(1, 1) });
    const higher = await one.accepted({ quotas: [windowQuota({ limit: 12 })], wants: calls(9, 1) });
    same([first.served, lower.served, higher.served], [[9], [0], [3]], "served calls");
  },
  "a correction lowers usage, and never below 0": async (join, checked) => {
    const one = await opened(join, checked);
    const quotaWith = (used: readonly (readonly [number, number])[]) => ({
      quotas: [windowQuota({ limit: 100, used })],
    });
    await one.accepted(quotaWith([[0, 40]]));
    const lower = await one.accepted(quotaWith([[0, -15]]));
    const least = await one.accepted(quotaWith([[0, -1_000]]));
    same([lower.quotas[0]?.used, least.quotas[0]?.used], [25, 0], "usage");
  },
  "usage counts for a window, counted from its age": async (join, checked) => {
    const one = await opened(join, checked);
    const quota = windowQuota({ windowMs: 2_000 });
    await one.accepted({
      quotas: [
        {
          ...quota,
          used: [
            [1_500, 6],
            [0, 3],
          ],
        },
      ],
    });
    const before = await one.accepted({ quotas: [quota], wants: calls(1, 2) });
    if (before.retryInMs < 300 || before.retryInMs > 510) throw new Error(`wrong retryInMs ${before.retryInMs}`);
    await checked.passMs(before.retryInMs + 5);
    const after = await one.accepted({ quotas: [quota], wants: calls(1, 2) });
    same([before.served, after.served, after.quotas[0]?.used], [[0], [1], 3], "served, and usage afterwards");
  },
  "usage of a fixed window counts until the stated reset": async (join, checked) => {
    const one = await opened(join, checked);
    const quota = (resetInMs: number) => windowQuota({ kind: "fixed", windowMs: 60_000, resetInMs });
    const before = await one.accepted({ quotas: [{ ...quota(300), used: [[0, 10]] }], wants: calls(1, 1) });
    await checked.passMs(320);
    const after = await one.accepted({ quotas: [quota(59_980)], wants: calls(1, 1) });
    same([before.served, after.served, after.quotas[0]?.used], [[0], [1], 0], "served, and usage after the reset");
  },
  "ahead of need at most a share of what is free is granted, and no places": async (join, checked) => {
    const one = await opened(join, checked);
    await join().accepted();
    const quotas = [
      windowQuota({ limit: 100, ahead: 90 }),
      windowQuota({ id: "b", limit: 100, ahead: 7 }),
      placesQuota(),
    ];
    const answer = await one.accepted({ quotas });
    same(
      answer.quotas.map(({ granted }) => granted),
      [25, 7, 0],
      "granted amounts",
    );
  },
  "a process that leaves holds nothing, and a late double of a message does not bring it back": async (
    join,
    checked,
  ) => {
    const one = await opened(join, checked);
    const two = join();
    await two.accepted({ quotas: [placesQuota({ held: 6 })] });
    const late = two.last!;
    await two.accepted({ isLeaving: true, quotas: [placesQuota()] });
    same(await two.repeat(late), { status: "stale" }, "answer to the double");
    const answer = await one.accepted({ quotas: [placesQuota()], wants: calls(10, 1) });
    same([answer.served, answer.processes], [[10], 1], "served calls and processes");
  },
  "the latest revision of a fact holds, and among equal ones that which holds for longer": async (join, checked) => {
    const [one, two] = [await opened(join, checked), join()];
    const fact = (value: string, revision: number, forMs: number) => ({
      facts: [{ key: "k {é}", value, revision, forMs }],
    });
    await one.accepted(fact("true", 1, 5_000));
    await two.accepted(fact("shorter", 1, 500));
    const first = await two.accepted(fact("older", 0, 90_000));
    same(
      first.facts.map(({ key, value }) => [key, value]),
      [["k {é}", "true"]],
      "fact of the longer time",
    );
    const second = await one.accepted(fact('{"12": 1}', 2, 100));
    same(
      second.facts.map(({ value }) => value),
      ['{"12": 1}'],
      "fact of the later revision",
    );
    await checked.passMs(150);
    same((await two.accepted()).facts, [], "facts after their time");
  },
  "names of any characters and large amounts are exact": async (join, checked) => {
    const one = await opened(join, checked);
    const limit = Number.MAX_SAFE_INTEGER;
    const odd = { id: 'ü {x} "q" \\ \ud800 %+', limit };
    const answer = await one.accepted({
      quotas: [windowQuota({ ...odd, used: [[0, 2 ** 52 + 1]] })],
      wants: calls(1, 2 ** 51 + 1),
    });
    same(answer.quotas[0], { granted: 2 ** 51 + 1, used: 2 ** 52 + 1, held: 2 ** 51 + 1 }, "quota");
    const other = await join().accepted({ quotas: [windowQuota({ id: 'ü {x} "q" \\ \ud801 %+', limit })] });
    same(other.quotas[0]?.used, 0, "usage of another name");
  },
};

/**
 * The checks of a store, for any test framework: `for (const { name, run } of storeChecks(open)) it(name, run)`. `open` is
 * called once per check. All checks use the same store if it returns the same one.
 */
export function storeChecks(open: () => CheckedStore | Promise<CheckedStore>): StoreCheck[] {
  const unique = () => Math.random().toString(36).slice(2);
  return Object.entries(CHECKS).map(([name, check]) => ({
    name,
    async run() {
      const checked = await open();
      const group = `check ${unique()}`;
      await check((id = unique()) => new CheckProcess(checked.store, group, id), checked);
    },
  }));
}
