/** Hooks that do evil with processes, signals and time. */

import type { HostileHook } from "./hostile.ts";

export const processes: readonly HostileHook[] = [
  { name: "starts 150 processes at once", script: "for i in $(seq 150); do sleep 0.1 & done; wait" },
  {
    name: "forks a tree six deep",
    script: 'f() { [ "$1" -eq 0 ] || { f $(($1-1)) & f $(($1-1)) & wait; }; }; f 6',
  },
  {
    name: "leaves a daemon that holds its output",
    script: "setsid sleep 60 & exit 0",
    leaves: true,
    says: /left a process behind/,
  },
  {
    name: "leaves a daemon that prints for ever",
    script: "(setsid sh -c 'while :; do echo tick; sleep 0.05; done' &) & exit 0",
    leaves: true,
    says: /left a process behind/,
  },
  {
    name: "leaves a daemon without output",
    script: "setsid sleep 60 >/dev/null 2>&1 & exit 0",
    leaves: true,
  },
  { name: "leaves a nohup", script: "nohup sleep 60 >/dev/null 2>&1 & exit 0", leaves: true },
  {
    name: "leaves a job of job control, stopped",
    script: "set -m; sleep 60 >/dev/null 2>&1 & kill -STOP $!; exit 0",
    leaves: true,
  },
  {
    name: "is deaf to every signal",
    script: "trap '' HUP INT QUIT TERM USR1 USR2 ALRM PIPE; while :; do sleep 0.1; done",
    hangs: true,
  },
  {
    name: "has a child that is deaf to SIGTERM",
    script: "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' & sleep 60",
    hangs: true,
  },
  {
    name: "has a deaf child in a session of its own",
    script: "setsid sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' & sleep 60",
    hangs: true,
  },
  {
    name: "has a child of job control below timeout(1)",
    script: "set -m; timeout 60 sh -c 'sleep 60' & wait",
    hangs: true,
  },
  { name: "stops itself", script: "kill -STOP $$", hangs: true },
  { name: "has a stopped child", script: "sleep 60 & kill -STOP $!; wait", hangs: true },
  { name: "reads its own pipe for ever", script: 'cat "$LOCK_DIR/backup.pipe"', hangs: true },
  {
    name: "uses a coprocess",
    script:
      '#!/bin/bash\ncoproc { echo hello; exec sleep 60; }; read -r x <&$COPROC; echo "$x"; kill $COPROC_PID',
    says: / \| hello$/m,
  },
  { name: "becomes another program", script: "exec sleep 0.1" },
  { name: "becomes a program that is missing", script: "exec /no/such/program", exit: 127 },
  {
    name: "kills itself",
    script: "kill -9 $$",
    exit: 137,
    signal: "SIGKILL",
    says: /killed by SIGKILL \(exit 137\)/,
  },
  { name: "kills its group", script: "kill -9 0", exit: 137, signal: "SIGKILL" },
  { name: "ends its group", script: "kill 0", exit: 143, signal: "SIGTERM" },
  {
    name: "crashes",
    script: "kill -SEGV $$",
    exit: 139,
    signal: "SIGSEGV",
    says: /killed by SIGSEGV \(exit 139\)/,
  },
  {
    name: "stops its worker for half a second",
    script: "(sleep 0.5; kill -CONT $PPID) & kill -STOP $PPID; wait",
  },
  { name: "makes its worker nice", script: "renice -n 19 $PPID >/dev/null; ionice -c 3 -p $PPID; exit 0" },
  { name: "calls its own worker", script: "backup >/dev/null; echo inner $?", says: / \| inner 75$/m },
  {
    name: "calls locked_run with its own job",
    script: "locked_run backup backup >/dev/null; echo inner $?",
    says: / \| inner 0$/m,
  },
  {
    name: "calls locked_run with another job",
    script: "locked_run other true; echo inner $?",
    says: / \| inner 0$/m,
  },
  {
    name: "tries to take its worker's lock",
    script: 'flock -w 0.2 "$LOCK_DIR/backup.lock" true; echo flock $?',
    says: / \| flock 1$/m,
  },
];
