/** Hooks that destroy what is ours: a hook of root can. What is promised is what the program can still do. */

import { mkdirSync } from "node:fs";
import { binary } from "../../support/world.ts";
import { type HostileHook, shell } from "./hostile.ts";

const WHOLE = "the backup, its exit code and every later run";

export const destroyers: readonly HostileHook[] = [
  {
    name: "removes LOG_DIR",
    script: 'rm -rf "$LOG_DIR"',
    destroys: WHOLE,
    mend: ({ log }) => void mkdirSync(log, { recursive: true }),
  },
  {
    name: "puts a file in the place of LOG_DIR",
    script: 'rm -rf "$LOG_DIR"; echo x >"$LOG_DIR"',
    destroys: WHOLE,
    mend: ({ log }) => void shell("sh", "-c", `rm '${log}'; mkdir '${log}'`),
  },
  {
    name: "removes LOCK_DIR",
    script: 'rm -rf "$LOCK_DIR"',
    destroys: WHOLE,
    mend: ({ lock }) => void mkdirSync(lock, { recursive: true }),
  },
  {
    name: "removes HOOKS_DIR",
    script: 'rm -rf "$HOOKS_DIR"',
    destroys: WHOLE,
    mend: ({ hooks }) => void mkdirSync(hooks, { recursive: true }),
  },
  { name: "deletes the lock file", script: 'rm -f "$LOCK_DIR/backup.lock"' },
  { name: "deletes its pipe", script: 'rm "$LOCK_DIR/backup.pipe"; echo still', says: /\| still$/m },
  { name: "writes into the lock file", script: 'echo garbage >"$LOCK_DIR/backup.lock"' },
  { name: "writes into the marker", script: 'echo garbage >"$LOCK_DIR/backup.run.json"' },
  {
    name: "takes the marker's place",
    script:
      'rm "$LOCK_DIR/backup.run.json"; echo \'{"pid":1,"run_id":"x","started_epoch":1}\' >"$LOCK_DIR/backup.run.json"',
  },
  { name: "writes garbage into the count of skips", script: 'echo garbage >"$LOCK_DIR/backup.skips"' },
  { name: "writes garbage into the record", script: 'echo garbage >"$LOG_DIR/last-backup.json"' },
  {
    name: "puts a folder in the place of the record",
    script: 'rm -rf "$LOG_DIR/last-backup.json"; mkdir "$LOG_DIR/last-backup.json"',
    destroys: WHOLE,
    says: /The record .* cannot be written: it is a directory/,
    mend: ({ log }) => void shell("rmdir", `${log}/last-backup.json`),
  },
  {
    name: "puts a folder in the place of the history",
    script: 'rm -rf "$LOG_DIR/history.jsonl"; mkdir "$LOG_DIR/history.jsonl"',
    destroys: WHOLE,
    says: /history\.jsonl cannot be written: it is a directory/,
    mend: ({ log }) => void shell("rmdir", `${log}/history.jsonl`),
  },
  {
    name: "appends half a line to the history",
    script: 'printf \'{"half\' >>"$LOG_DIR/history.jsonl"',
    destroys: "its own line of the history stays readable",
    mend: ({ log }) => void shell("sed", "-i", '/^{"half/d', `${log}/history.jsonl`),
  },
  { name: "empties the history", script: ': >"$LOG_DIR/history.jsonl"' },
  {
    name: "appends to the log of its run",
    script: 'echo added >>"$RBH_LOG"; tail -n 1 "$RBH_LOG"',
    says: /\| added$/m,
  },
  { name: "empties the log of its run", script: ': >"$RBH_LOG"', destroys: "what comes later stands in it" },
  {
    name: "replaces the program by another",
    script: 'ln -sf /bin/false "$HOME/bin/backup"',
    destroys: WHOLE,
    mend: ({ bin }) => void shell("ln", "-sf", binary, `${bin}/backup`),
  },
  {
    name: "fills LOCK_DIR with 2,000 files",
    script: 'cd "$LOCK_DIR" && seq 2000 | xargs touch',
    mend: ({ lock }) => void shell("sh", "-c", `cd '${lock}' && seq 2000 | xargs rm`),
  },
  ...(["pre-backup", "post-backup"] as const).flatMap((only): HostileHook[] => [
    {
      name: `sends SIGTERM to its worker (${only})`,
      only,
      script: "kill $PPID; sleep 60",
      exit: 143,
      signal: "SIGTERM",
      run: 143,
      destroys: "a stop in good order: post-hooks, record, exit 143",
    },
    {
      name: `kills its worker (${only})`,
      only,
      script: "kill -9 $PPID",
      run: 137,
      destroys: "the next run reports the death",
    },
  ]),
];
