import { writeAll } from "../write.ts";

/** Text for a person or a pipe, whole, to stdout. */
export function print(text: string): void {
  writeAll(1, text);
}
