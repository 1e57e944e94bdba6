/** Lets so many pass at once, the others in the order in which they came. */
export class Semaphore {
  #places: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#places = places;
  }

  /** Takes a place, once there is one; false where who comes gives up first, as `watch` may tell it to, whose cancel it calls. */
  async enter(watch?: (giveUp: () => void) => (() => void) | undefined): Promise<boolean> {
    if (this.#places > 0) {
      this.#places--;
      return true;
    }
    return new Promise((resolve) => {
      const enter = () => {
        unwatch?.();
        resolve(true);
      };
      this.#waiting.push(enter);
      const unwatch = watch?.(() => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        resolve(false);
      });
    });
  }

  /** Gives the place to who is next. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#places++;
    else next();
  }
}
