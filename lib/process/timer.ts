/** Timers for any length of time: setTimeout(f, 2 ** 31) fires at once. */

const LONGEST_MS = 2 ** 31 - 1;

/** Calls `action` after `ms` milliseconds (any finite number) and returns a function that cancels it. */
export function after(ms: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (left: number) => {
    timer = setTimeout(
      () => (left > LONGEST_MS ? wait(left - LONGEST_MS) : action()),
      Math.min(left, LONGEST_MS),
    );
  };
  wait(Math.max(0, ms));
  return () => clearTimeout(timer);
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => after(ms, resolve));

/** Resolves once the event loop has run the timers that are due and the handlers of signals that have come. */
export const eventLoopTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves to true when `promise` settles within `ms` milliseconds, else to false. */
export function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = after(ms, () => resolve(false));
    const settled = () => {
      cancel();
      resolve(true);
    };
    promise.then(settled, settled);
  });
}
