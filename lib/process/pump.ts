/** Reads a stream to its end, chunk by chunk, so that the writer waits when we are slower. */

export interface Pump {
  /** Resolves at the end of the stream, also after cancel(). */
  readonly done: Promise<void>;
  /** Lets the stream go although somebody still holds its other end. */
  cancel(): Promise<void>;
}

/**
 * Chunks after which output is much. The build keeps the compiler of JavaScriptCore back (--compile-jit-policy in
 * the Makefile): for a tick, which ends before it pays, it is a quarter of all CPU time. Here it begins to pay.
 */
const MUCH = 16;

export function pump(stream: ReadableStream<Uint8Array>, take: (bytes: Uint8Array) => void): Pump {
  const reader = stream.getReader();
  const read = async () => {
    for (let chunks = 0; ; chunks++) {
      const { value, done } = await reader.read();
      if (done) return;
      if (chunks === MUCH) Bun.unsafe.setJITPolicy(1);
      take(value);
    }
  };
  return { done: read(), cancel: () => reader.cancel() };
}
