/** Something that the user can mend: printed as it is, without a stack. */
export class Failure extends Error {
  constructor(
    message: string,
    /** What the process exits with. */
    readonly exitCode = 1,
  ) {
    super(message);
  }
}
