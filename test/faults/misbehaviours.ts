/** Ways in which restic or rclone may misbehave, the same for both. */

import { mkdirSync, symlinkSync } from "node:fs";
import type { World } from "../support/world.ts";

export interface Misbehaviour {
  readonly name: string;
  /** A script for /bin/sh, or a function that replaces the program. */
  readonly script: string | ((world: World, path: string) => void);
  readonly promised: string;
  /** The exit code of the run. Default: 0. */
  readonly exit?: number;
  /** The status in the record; by default what follows from the exit code. */
  readonly status?: string;
  /** Something in the log of the run. */
  readonly says?: RegExp;
  /** What the record must contain besides. */
  readonly record?: object;
  readonly env?: Readonly<Record<string, string>>;
  /** The worker is told to stop when the script has written `$HOME/here`. */
  readonly stopped?: true;
  /** It leaves a process running, which the test kills. */
  readonly leaves?: true;
  /** It prints so much that only the log of the run keeps all of it. */
  readonly floods?: true;
  /** No program of its name exists, except what the script creates. */
  readonly alone?: true;
}

const DEAF = "trap 'echo >$HOME/asked' INT; trap '' TERM; echo >$HOME/here; while :; do sleep 0.1; done";
const HANGS = "echo >$HOME/here; exec sleep 60";
const put =
  (content: string, mode = 0o755) =>
  (world: World, path: string) =>
    void world.file(path, content, mode);
const ended = (signal: string, exit: number): Misbehaviour => ({
  name: `is ended by ${signal}`,
  script: `kill -${signal} $$`,
  promised: `exit ${exit}, failed`,
  exit,
});

export const misbehaviours: readonly Misbehaviour[] = [
  {
    name: "hangs for ever",
    script: HANGS,
    env: { TIMEOUT: "1" },
    promised: "ended by its _TIMEOUT: exit 124, timed_out",
    exit: 124,
    status: "timed_out",
  },
  {
    name: "hangs, and the run is told to stop",
    script: HANGS,
    stopped: true,
    promised: "exit 143, interrupted",
    exit: 143,
    status: "interrupted",
  },
  {
    name: "hangs, deaf to SIGINT and SIGTERM, and the run is told to stop",
    script: DEAF,
    stopped: true,
    promised: "killed within STOP_TIMEOUT: exit 143",
    exit: 143,
    status: "interrupted",
  },
  {
    name: "hangs, deaf, past its _TIMEOUT, and the run is told to stop",
    script: DEAF,
    stopped: true,
    env: { TIMEOUT: "1" },
    promised: "killed within STOP_TIMEOUT: exit 143",
    exit: 143,
    status: "interrupted",
  },
  ...(
    [
      ["HUP", 129],
      ["INT", 130],
      ["QUIT", 131],
      ["ILL", 132],
      ["ABRT", 134],
      ["KILL", 137],
      ["SEGV", 139],
      ["PIPE", 141],
      ["TERM", 143],
      ["XCPU", 152],
    ] as const
  ).map(([signal, exit]) => ended(signal, exit)),
  { name: "exits with 255", script: "exit 255", promised: "exit 255, failed", exit: 255 },
  {
    name: "closes its stdout early and goes on",
    script: "exec >&-; sleep 0.2; echo still >&2; exit 0",
    promised: "waited for, its exit code stands",
    says: /\| still$/m,
  },
  {
    name: "closes both streams and goes on",
    script: "exec >&- 2>&-; sleep 0.2; exit 9",
    promised: "waited for, its exit code stands",
    exit: 9,
  },
  {
    name: "leaves a daemon that holds its streams",
    script: "sleep 60 & exit 0",
    leaves: true,
    promised: "not waited for; the log names it; the lock is free",
    says: /The work left running: sleep with pid \d+/,
  },
  {
    name: "leaves a daemon that prints for ever",
    script: "(setsid sh -c 'while :; do echo tick; sleep 0.05; done' &) & exit 0",
    promised: "not waited for; its exit code stands; the lock is free",
    leaves: true,
  },
  {
    name: "replaces itself while it runs",
    script: 'printf \'#!/bin/sh\\nexit 9\\n\' >"$0.new"; mv "$0.new" "$0"; exit 4',
    promised: "this run's own exit code",
    exit: 4,
  },
  {
    name: "is missing",
    script: () => {},
    alone: true,
    promised: "exit 127",
    exit: 127,
    says: /was not found/,
  },
  {
    name: "is a folder",
    script: ({ dir }, path) => mkdirSync(`${dir}/${path}`),
    alone: true,
    promised: "exit 127",
    exit: 127,
    says: /was not found/,
  },
  {
    name: "is a link to nowhere",
    script: ({ dir }, path) => symlinkSync("/no/where", `${dir}/${path}`),
    alone: true,
    promised: "exit 127",
    exit: 127,
    says: /was not found/,
  },
  {
    name: "is not executable",
    script: put("#!/bin/sh\n", 0o644),
    alone: true,
    promised: "exit 126",
    exit: 126,
    says: /cannot be executed/,
  },
  {
    name: "is not a program for this machine",
    script: put("\x7fELF garbage"),
    promised: "exit 126",
    exit: 126,
    says: /not a program for this machine/,
  },
  {
    name: "names an interpreter that is missing",
    script: put("#!/no/such/sh\n"),
    promised: "exit 126",
    exit: 126,
    says: /names an interpreter that is missing/,
  },
  { name: "is an empty file", script: put(""), promised: "run by /bin/sh as execvp(3) does it: exit 0" },
  {
    name: "prints escape codes, titles and carriage returns",
    script: "printf '\\033[2J\\033]0;title\\007\\033[31mred\\033[0m\\rover\\n\\302\\233 1m\\n'",
    promised: "the log holds no control character",
    says: /over$/m,
  },
  {
    name: "prints a password in pieces, and a key line by line",
    script: "printf 'correct horse '; sleep 0.1; echo battery; echo \"$AWS_SECRET_ACCESS_KEY\"",
    env: { AWS_SECRET_ACCESS_KEY: "first-of-the-key\nsecond-of-the-key" },
    promised: "masked everywhere",
    says: /\| \*\*\*$/m,
  },
  {
    name: "prints a password across every cut of endless lines",
    script:
      "for n in 16370 65510 65520 65530 65540 131050 131060; do head -c $n /dev/zero | tr '\\0' x; printf %s \"$RESTIC_PASSWORD$RCLONE_CONFIG_PASS\"; done",
    promised: "masked everywhere",
    says: /\*\*\*/,
  },
  {
    name: "prints 1 GB of lines",
    script: "yes 012345678901234567890123456789012345678901234567890123456789 | head -c 1000000000",
    floods: true,
    promised: "its own log keeps 64 MiB and says so; the worker stays below 100 MiB",
    says: /printed more than 64\.000 MiB; the rest is on stdout only/,
  },
  {
    name: "prints a line of 1 GB to stderr",
    script: "head -c 1000000000 /dev/zero | tr '\\0' x >&2",
    floods: true,
    promised: "its own log keeps 64 MiB and says so; the worker stays below 100 MiB",
    says: /printed more than 64\.000 MiB; the rest is on stdout only/,
  },
  {
    name: "prints 50 MB of NULs",
    script: "head -c 50000000 /dev/zero",
    floods: true,
    promised: "made visible in the log; the worker stays below 100 MiB",
  },
  {
    name: "prints 50 MB of random bytes",
    script: "head -c 50000000 /dev/urandom",
    floods: true,
    promised: "made visible in the log; the worker stays below 100 MiB",
  },
  {
    name: "prints a line of 100 MB that begins like JSON",
    script: "printf '{\"message_type\":\"'; head -c 100000000 /dev/zero | tr '\\0' x",
    floods: true,
    promised: "cut into pieces; the worker stays below 100 MiB",
  },
];
