/** Hooks that end oddly. */

import type { HostileHook } from "./hostile.ts";

export const endings: readonly HostileHook[] = [
  {
    name: "exits with 124 by itself",
    script: "exit 124",
    exit: 124,
    says: /exit 124, its own, not a timeout/,
  },
  ...[1, 75, 126, 127, 130, 137, 255].map((exit) => ({
    name: `exits with ${exit}`,
    script: `exit ${exit}`,
    exit,
  })),
  { name: "has a syntax error", script: "if then", exit: 2 },
  {
    name: "spoils its own environment",
    script:
      "export PATH=/nowhere LOG_DIR=/nowhere RBH_RUN_ID=x; unset HOME; cd /proc; umask 0777; ulimit -n 5; ulimit -f 0; exit 0",
  },
  { name: "ends in a folder that is gone", script: 'd=$(mktemp -d); cd "$d"; rmdir "$d"' },
];
