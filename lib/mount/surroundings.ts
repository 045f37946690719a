/** Looks at what lib/mount/prerequisites.ts judges. */

import { closeSync, constants, openSync, readFileSync, statSync } from "node:fs";
import { resolveProgram } from "../process/spawn.ts";
import type { Surroundings } from "./prerequisites.ts";

export function surroundings(searchPath: string | undefined, allowOther: boolean): Surroundings {
  const fusermount = find("fusermount", searchPath);
  return {
    device: errorOfOpening("/dev/fuse"),
    fusermount,
    fusermount3: find("fusermount3", searchPath),
    setuid: fusermount !== undefined && isSetuidRoot(fusermount),
    uid: process.geteuid?.() ?? 0,
    status: textOf("/proc/self/status"),
    label: textOf("/proc/self/attr/current"),
    fuseConf: textOf("/etc/fuse.conf"),
    allowOther,
  };
}

/** Opening it is harmless: a connection begins with mount(2) only. */
function errorOfOpening(device: string): unknown {
  try {
    closeSync(openSync(device, constants.O_RDWR));
    return undefined;
  } catch (error) {
    return error;
  }
}

function find(program: string, searchPath: string | undefined): string | undefined {
  try {
    return resolveProgram(program, searchPath);
  } catch {
    // CannotStart: that it is not there is the answer.
    return undefined;
  }
}

function isSetuidRoot(path: string): boolean {
  const { mode, uid } = statSync(path);
  return (mode & 0o4000) !== 0 && uid === 0;
}

/** Empty when it cannot be read: an absent file, or a kernel without the module (EINVAL). */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
