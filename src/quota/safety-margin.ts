// Margin for the error of estimated amounts that are reserved simultaneously.
//
//   margin = 3 x sqrt(sum + sum^2 / (variance x 300))
//
//   sum:       variance of the errors of all estimates, the new one included
//   variance:  variance of the error of the new estimate alone
//   300:       samples of the mean that all estimates share; the second term is the error of that mean
//
// Regimes: 0 without an estimate; 3 standard deviations of one estimate if no other is reserved.

const DEVIATIONS = 3;
const SAMPLES = 300;

/** Margin for a new estimate of variance `variance`, if the variances of all estimates add up to `sum`. */
export function safetyMargin(variance: number, sum: number): number {
  return variance > 0 ? DEVIATIONS * Math.sqrt(sum + sum ** 2 / (variance * SAMPLES)) : 0;
}
