// Requests with every kind of ending, on servers with every kind of limit, with the default correction for network
// delay. Amounts that the server might have counted stay counted, and requests that it might still process keep their
// places. Without that, aborted requests alone would cost two 429s in a thousand.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type Lease, MockClock, type Settlement } from "../../../src/index.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { type Draft, SaturatedSender } from "../../support/simulation/saturated-sender.ts";
import { servedShare } from "../../support/simulation/served-share.ts";
import {
  type ServerLimit,
  SimulatedNetwork,
  SimulatedServer,
  WINDOW_MS,
} from "../../support/simulation/simulated-servers.ts";
import { effort } from "../../support/test-effort.ts";

const SEEDS = [1, 2, 3, 4, 5].slice(0, effort(5, 1));
const UNTIL_MS = 8 * WINDOW_MS;
/** The lifetime of a lease: longer than any answer takes. If the server is silent, as long as the client waits. */
const EXPIRY_MS = 10_000;

/** How the client gives up a request, and in how many of a hundred. All others are answered. */
const GIVEN_UP = { timeout: 6, cancelled: 6, dispose: 4, expiry: 3, "too late a release": 3 } as const;
type GivenUp = keyof typeof GIVEN_UP;
/** Number of a hundred requests that are released before they are sent. */
const NEVER_SENT = 5;
const STATUSES = [200, 200, 200, 200, 200, 200, 400, 404, 500, 503, 529] as const;

interface Setting {
  readonly name: string;
  readonly windows: readonly ServerLimit[];
  readonly places: number | undefined;
  /** Maximum time from arrival to headers. */
  readonly workMs: number;
  /**
   * Maximum wait of clients that give up, if it is shorter than an answer can take; then three times as many give up.
   */
  readonly patienceMs?: number;
}

const WINDOWS: readonly ServerLimit[] = [
  { algorithm: "sliding log", counts: "requests", limit: 400 },
  { algorithm: "fixed window", counts: "requests", limit: 400 },
  { algorithm: "fixed window", counts: "requests", limit: 400 },
  { algorithm: "token bucket", counts: "requests", limit: 400 },
];
const TOKENS: readonly ServerLimit[] = [
  { algorithm: "sliding log", counts: "tokens", limit: 60_000 },
  { algorithm: "fixed window", counts: "tokens", limit: 60_000 },
  { algorithm: "token bucket", counts: "tokens", limit: 60_000 },
];
const SETTINGS: readonly Setting[] = [
  { name: "windows of requests", windows: WINDOWS, places: undefined, workMs: 300 },
  { name: "windows of tokens", windows: TOKENS, places: undefined, workMs: 300 },
  { name: "windows, where headers are slow", windows: [...WINDOWS, ...TOKENS], places: undefined, workMs: 8_000 },
  {
    name: "windows, and impatient callers",
    windows: [...WINDOWS, ...TOKENS],
    places: undefined,
    workMs: 300,
    patienceMs: 100,
  },
  { name: "places", windows: [], places: 12, workMs: 600 },
  { name: "places, where headers are slow", windows: [], places: 40, workMs: 8_000 },
  { name: "windows and places", windows: [...WINDOWS, ...TOKENS], places: 10, workMs: 1_000 },
];

class Endings {
  readonly limiter: GrateLimiter;
  readonly server: SimulatedServer;
  readonly counts = new Map<string, number>();
  readonly sender: SaturatedSender;
  readonly #world: SimulatedNetwork;
  readonly #setting: Setting;

  constructor(network: SimulatedNetwork, setting: Setting) {
    this.#world = network;
    this.#setting = setting;
    const { windows, places } = setting;
    const limitOf = (counts: ServerLimit["counts"]) => windows.find((window) => window.counts === counts)?.limit;
    this.limiter = new GrateLimiter({
      clock: network.clock,
      random: network.random,
      providers: [{ name: "p", limits: { rpm: limitOf("requests"), tpm: limitOf("tokens"), concurrency: places } }],
      capabilities: { c: ["p"] },
      // Failures must not keep requests from being sent, because that would make the test easy.
      health: { cooldownTriggerCount: 1_000_000 },
      minimumHealthScore: 0,
      leaseTimeoutMs: EXPIRY_MS,
    });
    this.server = new SimulatedServer(network, windows, places);
    this.sender = new SaturatedSender(network, this.limiter, this.server, () => this.#draft());
  }

  #draft(): Draft {
    const network = this.#world;
    const amounts = { requests: 1, tokens: Math.floor(network.between(20, 281)) };
    const workMs = network.between(20, this.#setting.workMs);
    const draft = { amounts, needs: { tokens: amounts.tokens }, workMs, bodyMs: network.between(0, 1_000) };
    let point = network.between(0, 100);
    if (point < NEVER_SENT) return { ...draft, send: (lease, again) => this.#release(lease, again) };
    point -= NEVER_SENT;
    const times = this.#setting.patienceMs === undefined ? 1 : 3;
    for (const [kind, once] of Object.entries(GIVEN_UP) as [GivenUp, number][]) {
      const share = times * once;
      if (point < share) return { ...draft, send: (lease, again) => this.#giveUp(kind, draft, lease, again) };
      point -= share;
    }
    return { ...draft, send: (lease, again) => this.#answer(draft, lease, again) };
  }

  #release(lease: Lease, again: () => void): void {
    this.#count("never sent");
    this.#world.after(this.#world.between(0, 900), () => {
      lease.release();
      again();
    });
  }

  #answer(draft: Draft, lease: Lease, again: () => void): void {
    this.#count("answered");
    const chosen = STATUSES[Math.floor(STATUSES.length * this.#world.random())]!;
    this.server.send({
      ...draft,
      answered: () => {
        lease.headersReceived();
        again();
      },
      ended: (status) => {
        lease.settle({ status: status === 429 ? 429 : chosen });
        again();
      },
    });
  }

  /** The client closes the connection at some time before or after the headers. */
  #giveUp(kind: GivenUp, draft: Draft, lease: Lease, again: () => void): void {
    this.#count(kind);
    let isAnswered = false;
    const isSilent = kind === "expiry";
    const { hangUp } = this.server.send({
      ...draft,
      workMs: isSilent ? 2 * EXPIRY_MS : draft.workMs,
      answered: () => {
        isAnswered = true;
        lease.headersReceived();
        again();
      },
      // Too late to give up the request.
      ended: (status) => {
        lease.settle({ status });
        again();
      },
    });
    const { patienceMs: most = draft.workMs + draft.bodyMs + 400 } = this.#setting;
    const patienceMs = isSilent ? EXPIRY_MS : this.#world.between(0, most);
    this.#world.after(patienceMs, () => {
      // The lease might have expired by then.
      if (isSilent) hangUp();
      if (lease.settled) return;
      hangUp();
      const settlement: Settlement | null = kind === "timeout" || kind === "cancelled" ? { status: kind } : null;
      if (settlement !== null) lease.settle(settlement);
      else if (kind === "dispose") lease[Symbol.dispose]();
      else if (kind === "too late a release" && isAnswered) lease.release();
      else if (kind === "too late a release") lease.settle({ status: "cancelled" });
      again();
    });
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

describe("requests with every kind of ending", () => {
  it.each(SETTINGS)("no request meets a 429: $name", (setting) => {
    let sent = 0;
    let refused = 0;
    const served: number[] = [];
    for (const seed of SEEDS) {
      const clock = new MockClock();
      const network = new SimulatedNetwork(clock, seededRandom(seed));
      const endings = new Endings(network, setting);
      const { server, limiter, counts, sender } = endings;
      sender.arrive(Number.POSITIVE_INFINITY);
      clock.advanceMs(UNTIL_MS);
      for (const kind of ["answered", "never sent", ...Object.keys(GIVEN_UP)]) {
        expect(counts.get(kind), kind).toBeGreaterThan(20);
      }
      sent += server.arrivals.length;
      refused += server.arrivals.filter(({ isAccepted }) => !isAccepted).length;
      if (setting.places !== undefined && setting.windows.length === 0) {
        expect(server.mostAtOnce).toBe(setting.places);
      }
      const [limit] = setting.windows;
      if (limit !== undefined) served.push(servedShare(server, limit, 300, WINDOW_MS, UNTIL_MS).served);
      // At the end nothing is in flight.
      sender.stop();
      clock.advanceMs(60_000);
      const [inspection] = limiter.inspect().providers;
      expect(inspection!.inFlight).toBe(0);
      expect(inspection!.quotas.map(({ inFlight }) => inFlight)).toEqual(inspection!.quotas.map(() => 0));
    }
    const share = served.map((one) => `${(100 * one).toFixed(1)} %`).join(", ");
    console.log(
      `every ending, ${setting.name}: ${refused} 429s of ${sent}; ${share} served (seeds ${SEEDS.join(", ")})`,
    );
    expect(refused).toBe(0);
  });
});
