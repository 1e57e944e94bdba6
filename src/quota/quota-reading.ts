// What is read of a provider's quotas together: numbers that stand side by side among others.
/** The quota part of the score. */
export const SCORE = 0;
/** The quota part that a decision reports. */
export const REPORTED = 1;
/** What fits in every quota of requests and places, and in every other. */
export const REQUESTS_ROOM = 2;
export const SIZES_ROOM = 3;
/** Until when time alone changes none of these; an instant that has passed: at every instant. */
export const STANDS_UNTIL = 4;
