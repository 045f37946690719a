/** What a file that a `_FILE` variable names says in the place of the variable itself. */

import { ConfigError, reasonOf } from "../errors.ts";
import { readSmallFile } from "../files.ts";

/** A secret is a line or a key; a larger file is another one than was meant. */
export const VALUE_FILE_MOST = 65_536;

/** The file's text without the blanks around it. Throws a ConfigError that names the variable, never the text. */
export function readValueFile(name: string, path: string): string {
  try {
    return readSmallFile(path, VALUE_FILE_MOST).trim();
  } catch (error) {
    const reason = reasonOf(error);
    throw new ConfigError(`${name}=${path} cannot be read: ${reason}. Mount the right file, or unset it.`);
  }
}
