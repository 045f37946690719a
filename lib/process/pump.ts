/** Reads a stream to its end, chunk by chunk, so that the writer waits when we are slower. */

import { turn } from "./timer.ts";

export interface Pump {
  /** Resolves at the end of the stream, also after cancel(). */
  readonly done: Promise<void>;
  /** Lets the stream go although somebody still holds its other end. */
  cancel(): Promise<void>;
}

/**
 * A writer that is never slower than we are would keep us reading for ever: its next chunk is always there, so
 * no timer and no signal would get its turn. So many milliseconds may pass without one.
 */
const TURN_MS = 10;

export function pump(stream: ReadableStream<Uint8Array>, take: (bytes: Uint8Array) => void): Pump {
  const reader = stream.getReader();
  const read = async () => {
    let turned = performance.now();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      take(value);
      if (performance.now() - turned < TURN_MS) continue;
      await turn();
      turned = performance.now();
    }
  };
  return { done: read(), cancel: () => reader.cancel() };
}
