/** Hooks that are odd files. */

import { mkdirSync, symlinkSync } from "node:fs";
import { type HostileHook, raw, refused, shell } from "./hostile.ts";

export const files: readonly HostileHook[] = [
  { name: "has CRLF line ends", script: raw("#!/bin/sh\r\necho x\r\n"), ...refused(/CRLF line endings/) },
  { name: "has no #! line", script: raw("echo without\n"), says: /\| without$/m },
  {
    name: "names an interpreter that is missing",
    script: raw("#!/no/such/sh\n"),
    ...refused(/\/no\/such\/sh: not in this image/),
  },
  {
    name: "names one that env(1) does not find",
    script: raw("#!/usr/bin/env no-such-shell\n"),
    ...refused(/no-such-shell: not in this image/),
  },
  { name: "has an empty #! line", script: raw("#!\necho x\n"), ...refused(/an empty #! line/) },
  {
    name: "has words after its interpreter",
    script: raw("#!/bin/sh -eu\necho with; false; echo never\n"),
    exit: 1,
    says: /\| with$/m,
  },
  { name: "uses env -S", script: raw("#!/usr/bin/env -S sh -e\necho split\n"), says: /\| split$/m },
  {
    name: "begins with a byte order mark",
    script: raw("\ufeff#!/bin/sh\necho x\n"),
    ...refused(/byte order mark/),
  },
  { name: "is empty", script: raw("") },
  {
    name: "is garbage that says it is a program",
    script: raw("\x7fELF garbage"),
    ...refused(/could not be started/),
  },
  {
    name: "is a script of 10 MB",
    script: raw(`#!/bin/sh\n${`: ${"x".repeat(97)}\n`.repeat(100_000)}echo large\n`),
    says: /\| large$/m,
  },
  {
    name: "is not executable",
    script: raw("#!/bin/sh\n", 0o644),
    ...refused(/not executable \(mode 0644\)/),
  },
  {
    name: "has no permission at all",
    script: raw("#!/bin/sh\n", 0o000),
    ...refused(/not executable \(mode 0000\)/),
  },
  {
    name: "is setuid and can be written by all",
    script: raw("#!/bin/sh\necho here\n", 0o4777),
    says: /others than its owner can write it/,
  },
  {
    name: "is a named pipe",
    script: (world, path) => void shell("mkfifo", `${world.dir}/${path}`),
    ...refused(/a named pipe/),
  },
  {
    name: "is a folder",
    script: (world, path) => mkdirSync(`${world.dir}/${path}`),
    ...refused(/a directory/),
  },
  {
    name: "is a device",
    script: (world, path) => symlinkSync("/dev/zero", `${world.dir}/${path}`),
    ...refused(/a device/),
  },
  {
    name: "is a link to itself",
    script: (world, path) => symlinkSync(`${world.dir}/${path}`, `${world.dir}/${path}`),
    ...refused(/a link that leads back to itself/),
  },
  {
    name: "is a link to nowhere",
    script: (world, path) => symlinkSync("/no/where", `${world.dir}/${path}`),
    ...refused(/a dangling link/),
  },
  { name: "takes its own permissions away", script: 'chmod 000 "$0"; echo still', says: /\| still$/m },
  { name: "deletes itself", script: 'rm "$0"; echo still', says: /\| still$/m },
  {
    name: "writes itself anew while it runs",
    script: 'printf \'#!/bin/sh\\nexit 9\\n\' >"$0.new"; mv "$0.new" "$0"; exit 4',
    exit: 4,
  },
];
