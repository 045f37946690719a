/** Chance that can be had again: RBH_SEED=<number> repeats what a run printed. */

/** Printed once for each user, so that a failure can be repeated. */
export function seeded(what: string): () => number {
  const seed = Number(process.env.RBH_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${what}: RBH_SEED=${seed}`);
  return mulberry32(seed);
}

/** Numbers from 0 up to 1, the same ones for the same seed (Tommy Ettinger's generator, public domain). */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
