/** `1 file`, `7 files`. For words that take a plain s. */
export const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? "" : "s"}`;
