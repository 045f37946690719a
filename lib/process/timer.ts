/** Timers that do not mistake a long time for none: setTimeout(f, 2 ** 31) fires at once. */

const LONGEST_MS = 2 ** 31 - 1;

/** Calls `action` after `ms` (any finite number of milliseconds) and returns what takes it back. */
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

/** Resolves once timers that are due and signals that have come have had their turn. */
export const eventLoopTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves to true when `promise` settled within `ms`, to false when the time was over first. */
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
