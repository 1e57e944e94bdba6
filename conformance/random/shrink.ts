import type { Fixture, FixtureProvider, Step } from "../typescript/fixture.ts";
import { DIMENSIONS } from "./declarations.ts";

/** True if the scenario still shows what it was kept for. */
export type StillShows = (scenario: Fixture) => Promise<boolean>;

/** A scenario as small as dropping makes it: no step, provider, quota or option can go without the rest showing less. */
export async function shrink(scenario: Fixture, stillShows: StillShows): Promise<Fixture> {
  let smallest = scenario;
  for (let before = ""; before !== JSON.stringify(smallest); ) {
    before = JSON.stringify(smallest);
    smallest = await withFewerSteps(smallest, stillShows);
    for (const simpler of simplifications(smallest)) {
      const candidate = simpler(smallest);
      if (candidate !== null && (await stillShows(candidate))) smallest = candidate;
    }
  }
  return smallest;
}

/** Every read of a probe as a step of its own, in the order in which it reads: a fixture can say what it expects of them. */
export function withProbesSpelledOut(scenario: Fixture): Fixture {
  const registered = new Set((scenario.providers ?? []).map(({ name }) => name));
  const steps = scenario.steps.flatMap((step): readonly Step[] => {
    if (step.action === "upsert_provider") registered.add(step.name);
    if (step.action !== "probe") return [step];
    return [...registered].flatMap((provider): readonly Step[] => [
      { action: "check_health", provider },
      { action: "check_in_cooldown", provider },
      ...DIMENSIONS.map((dimension) => ({ action: "check_remaining" as const, provider, dimension })),
    ]);
  });
  return { ...scenario, steps };
}

/** Drops runs of steps: first half of them, then smaller and smaller runs, down to single steps. */
async function withFewerSteps(scenario: Fixture, stillShows: StillShows): Promise<Fixture> {
  let { steps } = scenario;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    // From the end: what happened after the disagreement goes first.
    for (let start = steps.length - size; start > -size; start -= size) {
      const fewer = steps.filter((_, place) => place < start || place >= start + size);
      if (fewer.length > 0 && (await stillShows({ ...scenario, steps: fewer }))) steps = fewer;
    }
  }
  return { ...scenario, steps };
}

/** Null where there is nothing to drop any more. */
type Simplification = (scenario: Fixture) => Fixture | null;

/** Everything but steps that can be left out of a scenario, from the end, so that earlier places stay. */
function* simplifications(scenario: Fixture): Generator<Simplification> {
  const { providers = [], capabilities = [], steps } = scenario;
  for (let i = capabilities.length - 1; i >= 0; i--) {
    yield (now) => ({ ...now, capabilities: without(now.capabilities!, i) });
  }
  for (let i = providers.length - 1; i >= 0; i--) {
    const { name } = providers[i]!;
    yield (now) => ({ ...withoutProvider(now, name), providers: without(now.providers!, i) });
  }
  for (const { name } of providers) {
    const place = (now: Fixture) => now.providers!.findIndex((provider) => provider.name === name);
    yield (now) => changedProvider(now, place(now), ({ quotas: _, ...rest }) => rest);
    for (let i = 3; i >= 0; i--) {
      yield (now) =>
        changedProvider(now, place(now), ({ quotas = [], ...rest }) =>
          i < quotas.length ? { ...rest, quotas: without(quotas, i) } : null,
        );
    }
    for (const key of ["priority", "weight", "cooldown_seconds"] as const) {
      yield (now) => changedProvider(now, place(now), ({ [key]: _, ...rest }) => rest);
    }
  }
  for (const part of ["scoring", "health"] as const) {
    for (const option of Object.keys(scenario.config?.[part] ?? {})) {
      yield (now) => ({ ...now, config: { ...now.config, [part]: withoutKey(now.config?.[part] ?? {}, option) } });
    }
  }
  for (const option of Object.keys(scenario.config ?? {})) {
    yield (now) => ({ ...now, config: withoutKey(now.config ?? {}, option) });
  }
  for (let i = steps.length - 1; i >= 0; i--) {
    for (const key of ["capability", "requests", "tokens", "bytes", "cost_micro_usd", "latency_ms"]) {
      if (steps[i]!.action === "observe" && key in steps[i]!) {
        yield (now) => ({ ...now, steps: now.steps.with(i, withoutKey(now.steps[i]!, key) as Step) });
      }
    }
  }
}

/** Without the provider's places in capabilities; what else names it then names an unknown one. */
function withoutProvider(scenario: Fixture, name: string): Fixture {
  const capabilities = (scenario.capabilities ?? []).map((capability) => ({
    ...capability,
    providers: capability.providers.filter(({ provider }) => provider !== name),
  }));
  return { ...scenario, capabilities };
}

function changedProvider(
  scenario: Fixture,
  place: number,
  change: (provider: FixtureProvider) => FixtureProvider | null,
): Fixture | null {
  const provider = scenario.providers?.[place];
  const changed = provider === undefined ? null : change(provider);
  return changed === null || JSON.stringify(changed) === JSON.stringify(provider)
    ? null
    : { ...scenario, providers: scenario.providers!.with(place, changed) };
}

function without<T>(items: readonly T[], place: number): T[] {
  return items.filter((_, i) => i !== place);
}

function withoutKey<T extends object>(object: T, key: string): T {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key)) as T;
}
