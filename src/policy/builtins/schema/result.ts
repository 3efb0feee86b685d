import { LimitError } from '../limit.js';

export interface SchemaError {
  readonly type: string;
  readonly field: string;
  readonly description: string;
}

/** Errors of one document: what is more says nothing that those do not. */
const MOST_ERRORS = 10_000;

/** What is wrong, and how well the schema fits all the same: of several that fail, the best one is reported. */
export class Result {
  readonly errors: SchemaError[] = [];
  score = 0;

  get valid(): boolean {
    return this.errors.length === 0;
  }

  add(type: string, at: string, description: string): void {
    this.errors.push({ type, field: Result.field(at), description });
    this.score -= 2;
    this.bounded();
  }

  merge(other: Result): void {
    for (const error of other.errors) this.errors.push(error);
    this.score += other.score;
    this.bounded();
  }

  /** A place without the document's own name. */
  static field(at: string): string {
    return at.replace(/^\(Root\)\./, '');
  }

  private bounded(): void {
    if (this.errors.length > MOST_ERRORS)
      throw new LimitError(`json.match_schema: more than ${MOST_ERRORS} errors`);
  }
}
