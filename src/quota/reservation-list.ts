/** An entry of a list. Its neighbours are for the list alone. */
export interface Scheduled<E> {
  readonly scheduledAt: number;
  previous: E | null;
  next: E | null;
}

/** Reservations in order of instant. Adding takes as many steps as there are later ones, which is hardly ever any. */
export class ReservationList<E extends Scheduled<E>> {
  first: E | null = null;
  last: E | null = null;

  add(reservation: E): void {
    let after = this.last;
    while (after !== null && after.scheduledAt > reservation.scheduledAt) after = after.previous;
    const before = after === null ? this.first : after.next;
    reservation.previous = after;
    reservation.next = before;
    if (after === null) this.first = reservation;
    else after.next = reservation;
    if (before === null) this.last = reservation;
    else before.previous = reservation;
  }

  remove(reservation: E): void {
    const { previous, next } = reservation;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    reservation.previous = null;
    reservation.next = null;
  }
}
