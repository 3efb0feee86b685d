/** Status codes of gRPC itself, which say that a call did not come to an answer. */
export const STATUS = {
  OK: 0,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** A gRPC status with the words that go with it. */
export interface GrpcFault {
  readonly status: number;
  readonly message: string;
}
