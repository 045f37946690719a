/** Reads a stream to its end, chunk by chunk, so that the writer waits when we are slower. */

export interface Pump {
  /** Resolves at the end of the stream, also after cancel(). */
  readonly done: Promise<void>;
  /** Lets the stream go although somebody still holds its other end. */
  cancel(): Promise<void>;
}

export function pump(stream: ReadableStream<Uint8Array>, take: (bytes: Uint8Array) => void): Pump {
  const reader = stream.getReader();
  const read = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      take(value);
    }
  };
  return { done: read(), cancel: () => reader.cancel() };
}
