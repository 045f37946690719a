/** Hooks that do evil with their output and their descriptors. */

import type { HostileHook } from "./hostile.ts";

export const output: readonly HostileHook[] = [
  {
    name: "prints 20 MB",
    script: "yes 0123456789 | head -c 20000000",
    says: /more of its lines went to stdout only/,
  },
  { name: "prints a line of 5 MB", script: "head -c 5000000 /dev/zero | tr '\\0' x" },
  { name: "prints a megabyte of random bytes", script: "head -c 1000000 /dev/urandom" },
  { name: "prints NULs", script: "head -c 100000 /dev/zero" },
  { name: "prints no newline", script: "printf 'no end'", says: / \| no end$/m },
  {
    name: "prints escape codes, titles and carriage returns",
    script: "printf '\\033[2J\\033]0;title\\007\\033[31mred\\rover\\n\\302\\233 1m \\342\\200\\256'",
    says: /\\x1b\[31mred\\rover/,
  },
  {
    name: "prints what looks like a line of the log",
    script: "printf '2026-01-01 00:00:00 INFO  backup  backup finished: ok, exit 0, 0s\\n'",
    says: /(pre|post)-backup \| 2026-01-01/,
  },
  {
    name: "prints the password",
    script: 'echo "$RESTIC_PASSWORD"; env; set -x; : "$RESTIC_PASSWORD"',
    says: /\| \*\*\*$/m,
  },
  {
    name: "prints the password in two pieces",
    script: "printf 'correct horse '; sleep 0.1; printf 'battery\\n'",
    says: /\| \*\*\*$/m,
  },
  {
    name: "prints the password to both streams at once",
    script: "printf 'correct '; printf 'horse ' >&2; printf 'battery\\n'",
    says: /\| \*\*\*$/m,
  },
  { name: "reads stdin to its end", script: "cat; read -r x || echo ended", says: /\| ended$/m },
  { name: "asks on the terminal", script: "{ echo question >/dev/tty; } 2>/dev/null || exit 7", exit: 7 },
  { name: "closes its streams and goes on", script: "exec 0<&- 1>&- 2>&-; sleep 0.2" },
  {
    name: "opens 900 files",
    script: "#!/usr/bin/env python3\nkept = [open('/dev/null') for _ in range(900)]\nprint('opened')",
    says: /\| opened$/m,
  },
  {
    name: "looks for descriptors of ours in 3 to 9",
    script: "for i in 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$i ] || echo open $i; exec 3>&1 4>&1 5>&1; done",
    exit: 0,
    says: /^((?!\| open 3).)*$/s,
  },
  {
    name: "writes into its pipe by its name",
    script: 'echo sideways >"$LOCK_DIR/backup.pipe"',
    says: /\| sideways$/m,
  },
];
