/**
 * A bound of ours was met: what was asked for takes more time or memory than one decision may. It ends the
 * evaluation, where a {@link BuiltinError} would not: an expression that is undefined here and defined in OPA
 * could allow, under `not`, what must be denied.
 */
export class LimitError extends Error {
  override readonly name = 'LimitError';
}

/** Counts what a built-in makes, of which a small operand may ask for much. */
export class Budget {
  constructor(
    private left: number,
    private readonly what: string,
  ) {}

  /** @throws LimitError when more has been spent than there was */
  spend(amount: number): void {
    this.left -= amount;
    if (this.left < 0) throw new LimitError(this.what);
  }
}

/** @throws LimitError where `amount` is above `most` */
export function limit(what: string, amount: number, most: number): void {
  if (amount > most) throw new LimitError(`${what}: more than ${most}`);
}
