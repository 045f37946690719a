/** One finding about the environment, as config-check prints it and doctor too. */

import { accessSync, constants } from "node:fs";
import { reasonOf } from "../errors.ts";

export interface Check {
  /** The variable that it is about, mostly. */
  readonly key: string;
  readonly status: "ok" | "warn" | "fail";
  readonly message: string;
}

export const ok = (key: string, message: string): Check => ({ key, status: "ok", message });
export const warn = (key: string, message: string): Check => ({ key, status: "warn", message });
export const fail = (key: string, message: string): Check => ({ key, status: "fail", message });

/** Why the running user cannot read `path`; undefined when it can. */
export function unreadable(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
