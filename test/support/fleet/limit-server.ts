// A provider that enforces its limits: the independent count in tests of several processes.

/** A sliding log per window, and a number of requests in flight. */
export class LimitServer {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #places: number;
  readonly #arrivals: { readonly at: number; amount: number }[] = [];
  #inFlight = 0;
  /** Requests that came above a limit. */
  exceeded = 0;
  placesExceeded = 0;
  served = 0;

  constructor(limit: number, windowMs: number, places = Infinity) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#places = places;
  }

  /** A request arrives; returns the function that ends it. */
  arrive(now: number, amount = 1): () => void {
    while (this.#arrivals.length > 0 && this.#arrivals[0]!.at <= now - this.#windowMs) this.#arrivals.shift();
    const used = this.#arrivals.reduce((sum, each) => sum + each.amount, 0);
    if (used + amount > this.#limit) this.exceeded++;
    else this.served++;
    this.#arrivals.push({ at: now, amount });
    if (++this.#inFlight > this.#places) this.placesExceeded++;
    let isOpen = true;
    return () => {
      if (isOpen) this.#inFlight--;
      isOpen = false;
    };
  }

  get inFlight(): number {
    return this.#inFlight;
  }
}
