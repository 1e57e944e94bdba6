// A mock clock that counts its timers: pending ones, the maximum of pending ones, and all that were set.
import { MockClock } from "../../src/index.ts";

export class CountingClock extends MockClock {
  outstanding = 0;
  most = 0;
  asked = 0;

  override wakeAt(atMs: number, wake: () => void): () => void {
    this.asked++;
    this.outstanding++;
    this.most = Math.max(this.most, this.outstanding);
    let isOver = false;
    const over = () => {
      if (!isOver) this.outstanding--;
      isOver = true;
    };
    const cancel = super.wakeAt(atMs, () => {
      over();
      wake();
    });
    return () => {
      over();
      cancel();
    };
  }
}
