/** Ways of a runtime to run a function soon. Each of them can be missing. */
interface Schedulers {
  readonly setImmediate?: Scheduler;
  readonly setTimeout: Scheduler;
  readonly MessageChannel?: new () => { readonly port1: Port; readonly port2: Port };
}

type Scheduler = (callback: () => void, ms?: number) => unknown;

interface Port {
  onmessage: (() => void) | null;
  postMessage(message: null): void;
  close(): void;
}

// The functions are kept, because test runners replace those of the runtime by fake ones, which wait for the test.
const { setImmediate, setTimeout, MessageChannel } = globalThis as unknown as Schedulers;

/** Source of macrotasks. A macrotask runs after all chains of resolved promises. */
export interface Macrotasks {
  /** Resolves in the next macrotask. */
  next(): Promise<void>;
  close(): void;
}

/** Opens the source without a delay: `setTimeout` takes a millisecond. */
export function openMacrotasks(): Macrotasks {
  if (isReal(setImmediate)) return { next: () => new Promise((resolve) => setImmediate(resolve)), close() {} };
  if (MessageChannel === undefined) return { next: () => new Promise((resolve) => setTimeout(resolve, 0)), close() {} };
  // Open ports keep a process alive, so every use has its own.
  const { port1, port2 } = new MessageChannel();
  return {
    next: () =>
      new Promise((resolve) => {
        port1.onmessage = () => resolve();
        port2.postMessage(null);
      }),
    close: () => port1.close(),
  };
}

/** False for a fake timer of Sinon, Jest or Vitest, which has the property `clock`: they can be installed before this module loads. */
function isReal(scheduler: Scheduler | undefined): scheduler is Scheduler {
  return scheduler !== undefined && !("clock" in scheduler);
}
