import { Dimension, type Lease } from "../../../src/index.ts";
import { demand, settlement, status, usage } from "./demands.ts";
import { comparableForecasts, comparableMetrics } from "./newer-fields.ts";
import type { KnownLease, Operation, World } from "./world.ts";

type Table = readonly (readonly [weight: number, operation: Operation])[];

const capability = ({ random, configs }: World) => (random.chance(1) ? "unknown" : random.pick(configs.capabilities));
const provider = ({ random, configs }: World) => (random.chance(1) ? "unknown" : random.pick(configs.providers));
const operation = (name: string, act: (world: World) => unknown): Operation => ({ name, act });
const change = (name: string, act: (world: World) => unknown): Operation =>
  operation(name, (world) => {
    world.change();
    return act(world);
  });

const step = operation("step", (world) => world.advance());

const select = operation("select", (world) => {
  const decision = world.limiter.select(
    capability(world),
    world.random.maybe(70, () => demand(world.configs)),
  );
  return { decision, facts: world.strategy?.facts.get(decision.provider) };
});

const observe = operation("observe", (world) => {
  const { random, configs } = world;
  const outcome = {
    status: random.chance(1) ? 999 : status(configs),
    latencyMs: random.maybe(60, () => random.int(0, 4_000) / 2),
    retryAfterMs: random.maybe(15, () => configs.paceMs * random.int(0, 12)),
  };
  return world.limiter.observe({
    provider: provider(world),
    capability: random.maybe(50, () => random.pick(configs.capabilities)),
    usage: random.maybe(75, () => usage(configs)),
    outcome,
  });
});

const tryAcquire = operation("tryAcquire", (world) => {
  const options = world.random.maybe(75, () => demand(world.configs));
  const answer = world.limiter.tryAcquire(capability(world), options);
  if (answer.granted) world.take(answer);
  return answer;
});

const acquire = operation("acquire", (world) => world.calls.acquire(capability(world)).number);
const run = operation("run", (world) => world.calls.run(capability(world)).number);
const stream = operation("stream", (world) => world.calls.stream(capability(world)).number);
const map = operation("map", (world) => world.calls.map(capability(world)).number);

const abort = operation("abort", (world) => {
  const abortable = [...world.calls.open].filter(({ controller }) => controller !== undefined);
  if (abortable.length === 0) return null;
  const { number, controller } = world.random.pick(abortable);
  controller!.abort("aborted");
  return number;
});

const openLease = operation("lease", (world) => callLease(world, world.openLeases));
const endedLease = operation("ended lease", (world) => callLease(world, world.endedLeases));

function callLease(world: World, leases: readonly KnownLease[]): unknown {
  if (leases.length === 0) return null;
  const known = world.random.pick(leases);
  const { lease, spansChange } = known;
  if (spansChange && !known.hasEnded) world.involves("reconfiguration");
  const hadEnded = known.hasEnded;
  const [name, ends, act] = world.random.weighted(LEASE_CALLS);
  const returned = act(lease, world);
  // The first call after the expiry of a lease emits it, and that can be this call.
  if (hadEnded || (known.hasEnded && !ends)) world.involves("after expiry");
  if (ends) world.leaseEnded(known);
  return [name, lease, returned, hadEnded && { decision: lease.decision, reserved: lease.reserved }];
}

type LeaseCall = readonly [name: string, ends: boolean, act: (lease: Lease, world: World) => unknown];
const LEASE_CALLS: readonly (readonly [weight: number, call: LeaseCall])[] = [
  [10, ["headersReceived", false, (lease) => lease.headersReceived()]],
  [9, ["report", false, (lease, { configs }) => lease.report(usage(configs))]],
  [22, ["settle", true, (lease, { configs }) => lease.settle(settlement(configs))]],
  [6, ["settle as success", true, (lease) => lease.settle()]],
  [6, ["release", true, (lease) => lease.release()]],
  [4, ["dispose", true, (lease) => lease[Symbol.dispose]()]],
  [5, ["settled", false, (lease) => lease.settled]],
];

const query = operation("query", (world) => {
  const { limiter, random, configs } = world;
  const name = provider(world);
  const dimension = random.pick(Object.values(Dimension));
  const window = dimension === "concurrency" ? undefined : random.maybe(40, () => random.pick(configs.windows));
  return [
    comparableForecasts(limiter.forecast(name)),
    limiter.providerHealth(name),
    limiter.providerInCooldown(name),
    limiter.providerQuotaRemaining(name, dimension, window),
    limiter.remainingQuota(name, dimension),
    comparableMetrics(limiter.metrics),
  ];
});

const upsertProvider = change("upsertProvider", (world) => {
  const config = world.configs.provider(world.random.pick(world.configs.providers));
  return world.limiter.upsertProvider(world.random.chance(2) ? { ...config, priority: -1 } : config);
});
const updateProvider = change("updateProvider", (world) =>
  world.limiter.updateProvider(provider(world), world.configs.patch()),
);
const removeProvider = change("removeProvider", (world) => world.limiter.removeProvider(provider(world)));
const reviveProvider = change("reviveProvider", (world) => world.limiter.reviveProvider(provider(world)));
const upsertPool = change("upsertPool", (world) =>
  world.limiter.upsertPool({ name: world.configs.pools[0] ?? "org", ...world.configs.pool() }),
);
const upsertCapability = change("upsertCapability", (world) =>
  world.limiter.upsertCapability({
    name: world.random.pick(world.configs.capabilities),
    providers: world.configs.listed(),
  }),
);
const removeCapability = change("removeCapability", (world) => world.limiter.removeCapability(capability(world)));

const CHANGES: Table = [
  [11, upsertProvider],
  [24, updateProvider],
  [2, removeProvider],
  [7, reviveProvider],
  [7, upsertPool],
  [12, upsertCapability],
  [1, removeCapability],
];

/** The operations of the anticipatory profile. */
export const ANTICIPATORY: Table = [
  [70, step],
  [40, select],
  [90, observe],
  [80, tryAcquire],
  [350, acquire],
  [30, run],
  [10, stream],
  [8, map],
  [18, abort],
  [150, openLease],
  [125, endedLease],
  [20, query],
  ...CHANGES,
];

/** The operations of the classic profile; those that need leases or pools are rare, as they are all rejected. */
export const CLASSIC: Table = [
  [100, step],
  [330, select],
  [400, observe],
  [6, tryAcquire],
  [6, acquire],
  [6, run],
  [60, query],
  ...CHANGES,
];

/** What remains open at the end of a world is rejected, except leases. */
export const CLOSE: Operation = operation("close", (world) => world.limiter.close());
