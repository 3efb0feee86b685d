/**
 * One end of a line between two processes. What is sent arrives in order or not at all, and is plain data:
 * whatever `structuredClone` takes.
 */
export interface Port<Sent, Received> {
  /** Never throws; what is sent to a process that is gone is lost. */
  send(message: Sent): void;
  onMessage(listener: (message: Received) => void): void;
  /** The other process is gone. Called at once where it already is. */
  onClose(listener: () => void): void;
}

/** What the holder of replicas says to the process that has the originals. `id` is what the answer brings back. */
export type HubRequest =
  /** Tell its state now, if there is any, and after each change. */
  | { readonly kind: 'follow'; readonly name: string }
  /** Answer once it has been fetched for the first time, whatever came of it. */
  | { readonly kind: 'started'; readonly name: string; readonly id: number }
  | { readonly kind: 'demand'; readonly name: string; readonly id: number }
  | { readonly kind: 'ask'; readonly name: string; readonly id: number; readonly question: unknown };

export type HubReply =
  | { readonly kind: 'state'; readonly name: string; readonly state: unknown }
  /** To `started` and `demand`; the state that came of it was told before. */
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };
