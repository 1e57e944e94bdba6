import { type CheckedStore, type CheckProcess, calls, placesQuota, windowQuota } from "./check-process.ts";

const LIMIT = 20;
const PLACES = 6;
const WINDOW_MS = 1_000;
const PROCESSES = 4;
const STEPS = 150;

/** One process of the history: amounts in hand, in flight, and used without having been sent. */
class Worker {
  readonly sender: CheckProcess;
  spare = 0;
  spareOfPlaces = 0;
  inFlight = 0;
  unsent: number[] = [];

  constructor(sender: CheckProcess) {
    this.sender = sender;
  }
}

/**
 * Processes take, use and return amounts at random. Their own count of the last window, and of all that they have in hand,
 * is independent of the store's.
 */
export async function neverAboveLimit(join: () => CheckProcess, { now, passMs }: CheckedStore): Promise<void> {
  const workers = Array.from({ length: PROCESSES }, () => new Worker(join()));
  const uses: number[] = [];
  let granted = 0;
  for (let step = 0; step < STEPS; step++) {
    const worker = workers[Math.floor(Math.random() * PROCESSES)]!;
    for (let ending = Math.floor(Math.random() * (worker.inFlight + 1)); ending > 0; ending--) {
      worker.inFlight--;
      worker.spareOfPlaces++;
      worker.unsent.push(now());
      uses.push(now());
    }
    // Some is returned.
    if (Math.random() < 0.3) worker.spare = 0;
    if (Math.random() < 0.5) worker.spareOfPlaces = 0;
    const count = Math.floor(Math.random() * 5);
    const sentAt = now();
    const { spare, spareOfPlaces, inFlight } = worker;
    const used = worker.unsent.map((at) => [Math.max(0, Math.floor(sentAt - at)), 1] as const);
    const answer = await worker.sender.accepted({
      quotas: [
        windowQuota({ limit: LIMIT, windowMs: WINDOW_MS, held: spare + inFlight, spare, used, ahead: 2 }),
        placesQuota({ limit: PLACES, held: spareOfPlaces + inFlight, spare: spareOfPlaces }),
      ],
      wants: count > 0 ? calls(count, 1, 1) : [],
    });
    worker.unsent = [];
    worker.spare += answer.quotas[0]!.granted;
    worker.spareOfPlaces += answer.quotas[1]!.granted;
    const served = count > 0 ? answer.served[0]! : 0;
    granted += served;
    worker.spare -= served;
    worker.spareOfPlaces -= served;
    worker.inFlight += served;
    if (worker.spare < 0 || worker.spareOfPlaces < 0) throw new Error("calls were served without being granted");
    const at = now();
    const held = workers.reduce((sum, each) => sum + each.spare + each.inFlight, 0);
    const total = uses.filter((use) => use > at - WINDOW_MS).length + held;
    if (total > LIMIT) throw new Error(`used and held: expected at most ${LIMIT}, got ${total}`);
    const places = workers.reduce((sum, each) => sum + each.spareOfPlaces + each.inFlight, 0);
    if (places > PLACES) throw new Error(`places: expected at most ${PLACES}, got ${places}`);
    for (const { used, held } of answer.quotas.slice(0, 1)) {
      if (used + held > LIMIT) throw new Error(`the store's own count is above the limit: ${used} + ${held}`);
    }
    await passMs(Math.floor(Math.random() * 40));
  }
  if (granted < LIMIT) throw new Error(`expected at least ${LIMIT} served calls, got ${granted}`);
}
