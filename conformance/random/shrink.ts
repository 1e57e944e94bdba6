import type { Fixture, FixtureProvider, Step } from "../typescript/fixture.ts";
import { DIMENSIONS } from "./declarations.ts";

/** True if the scenario still has the property of interest, for example a disagreement. */
export type StillShows = (scenario: Fixture) => Promise<boolean>;

/** Returns a minimal scenario: if any step, provider, quota or option is dropped from it, the property is lost. */
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

/** Replaces each probe by single reads in the same order, because a fixture can have expectations only for those. */
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

/** Drops runs of steps: first half of all steps, then shorter and shorter runs, down to single steps. */
async function withFewerSteps(scenario: Fixture, stillShows: StillShows): Promise<Fixture> {
  let { steps } = scenario;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    // From the end, so that the steps after the disagreement are dropped first.
    for (let start = steps.length - size; start > -size; start -= size) {
      const fewer = steps.filter((_, place) => place < start || place >= start + size);
      if (fewer.length > 0 && (await stillShows({ ...scenario, steps: fewer }))) steps = fewer;
    }
  }
  return { ...scenario, steps };
}

/** A simplification returns null if there is nothing left to drop. */
type Simplification = (scenario: Fixture) => Fixture | null;

/** All simplifications except dropped steps. They start at the end, so that earlier indices remain valid. */
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

/** Removes a provider from the capabilities. Steps that still name it then name an unknown provider. */
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
