// Who is here just now: calls under way, connections, waiters; in no order. It is no `Map` and no
// `Set`, because V8 gives those a new table every few comings and goings and lets the old table
// point to the new one. Once one of them has grown old it keeps alive, dead as it is, all later
// ones and every call in them until the next full collection, and so brings it about.

export interface Seat {
  at: number;
}

const LEFT = -1;

export class Roster<T> {
  readonly #here: T[] = [];
  readonly #seats: Seat[] = [];

  get size(): number {
    return this.#here.length;
  }

  /** Whoever comes twice is here twice. */
  add(one: T): Seat {
    const seat = { at: this.#here.length };
    this.#here.push(one);
    this.#seats.push(seat);
    return seat;
  }

  /** False if who had this seat has left before. */
  remove(seat: Seat): boolean {
    const { at } = seat;
    if (at === LEFT) return false;
    const last = this.#here.pop() as T;
    const lastSeat = this.#seats.pop() as Seat;
    if (lastSeat !== seat) {
      this.#here[at] = last;
      this.#seats[at] = lastSeat;
      lastSeat.at = at;
    }
    seat.at = LEFT;
    return true;
  }

  /** All who are here now, whoever comes or leaves meanwhile. */
  all(): T[] {
    return this.#here.slice();
  }
}
