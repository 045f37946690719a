/** Reads a stream to its end, chunk by chunk, so that the writer waits when we are slower. */

export interface Reader {
  take(bytes: Uint8Array): void;
  /** There will be no more. */
  end(): void;
}

export interface Pump {
  /** Resolves at the end of the stream, also after cancel(); rejects then if the reader has thrown. */
  readonly done: Promise<void>;
  /** Lets the stream go although somebody still holds its other end. */
  cancel(): Promise<void>;
}

/**
 * What the reader throws is a bug of ours. It must not stop the reading, since the writer would wait for ever on a
 * pipe that nobody empties: the rest is read and dropped, and the error is told at the end.
 */
export function pump(stream: ReadableStream<Uint8Array>, reader: Reader): Pump {
  const source = stream.getReader();
  let failure: { readonly error: unknown } | undefined;
  const guarded = (action: () => void) => {
    try {
      if (failure === undefined) action();
    } catch (error) {
      failure = { error };
    }
  };
  const read = async () => {
    for (;;) {
      const { value, done } = await source.read();
      if (done) break;
      guarded(() => reader.take(value));
    }
    guarded(() => reader.end());
    if (failure !== undefined) throw failure.error;
  };
  const done = read();
  // Whoever awaits it hears of it; until then it must not count as unhandled.
  done.catch(() => {});
  return { done, cancel: () => source.cancel() };
}
