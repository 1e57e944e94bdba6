// Margin for the error of estimated amounts that are reserved side by side.
//
//   margin = 3 x sqrt(sum + sum^2 / (variance x 300))
//
//   sum: variance of the errors of all estimates, the new one included; variance: of the new one alone; 300: samples of the
//   mean that all estimates share, whose own error is the second term
//
// Regimes: 0 without an estimate; 3 standard deviations of one estimate if no other is reserved.

const DEVIATIONS = 3;
const SAMPLES = 300;

/** Margin beside an estimate of that variance, if the variances of all estimates amount to `sum`. */
export function safetyMargin(variance: number, sum: number): number {
  return variance > 0 ? DEVIATIONS * Math.sqrt(sum + sum ** 2 / (variance * SAMPLES)) : 0;
}
