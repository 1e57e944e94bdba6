/**
 * The part of a limit that this process may use, if processes share the limit through a store. All amounts are whole numbers
 * >= 0. It has no clock. Only an answer of the store raises `inHand`: a known instant never does.
 */
export interface Share {
  /** Amount that can be reserved now. `own`: used and reserved by this process. */
  inHand(own: number): number;
  /** Amount that all processes together have left; `left`: by the count of this process alone. */
  remaining(left: number, own: number): number;
  /** Amounts that other processes have used in the window, and that they hold, as far as the store has said. */
  readonly usedElsewhere: number;
  readonly heldElsewhere: number;
  /**
   * When the store can be asked for that amount with success at the earliest. NaN: not known, so that it has to be asked now.
   * `mayBeReturned`: other processes might return what they hold.
   */
  fitsAt(amount: number, mayBeReturned: boolean, now: number): number;
  /** Reserves an amount, or returns it if it is negative. More than is in hand is reserved all the same. */
  reserve(delta: number): void;
  /** A reserved amount became usage at `at`. */
  commit(amount: number, at: number): void;
  /** Counts usage that was not reserved, or corrects what was counted at `at`; then `amount` can be negative. */
  count(amount: number, at: number): void;
}
