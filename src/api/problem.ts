/** One problem of an argument: its path, the accepted values, and the value that it got. */
export interface Problem {
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}
