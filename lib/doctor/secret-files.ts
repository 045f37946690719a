/** Files that hold secrets: who else than the user that runs here can read or change them? */

import { promises } from "node:fs";
import type { Settings } from "../config/settings.ts";
import type { Context } from "../context.ts";
import { ConfigError } from "../errors.ts";
import { readSmallFile } from "../files/files.ts";
import { accessWithin } from "../files/within.ts";
import { createMask, isSecret, maskRemote } from "../mask.ts";
import { readFlags } from "../restic/backup-args.ts";
import { msmtprcs } from "../secrets.ts";
import { quoteWord } from "../words.ts";
import { type Check, info, warn } from "./checks.ts";

interface Candidate {
  /** What names it. */
  readonly key: string;
  readonly path: string;
  /** Where it may be without a secret: has this text one? */
  readonly holdsSecret?: (text: string) => boolean;
}

/** One check for each file that others can read, or write. */
export async function checkSecretFiles(context: Context): Promise<Check[]> {
  const candidates = [
    ...namedByVariables(context.settings),
    ...namedByOptions(context.settings),
    ...configurations(context.settings),
    ...(await environmentFiles(context.hooksDir)),
  ];
  const judged = await Promise.all(candidates.map(judge));
  return judged.filter((check) => check !== undefined);
}

function namedByVariables({ env }: Settings): Candidate[] {
  return Object.entries(env).flatMap(([name, path]): Candidate[] => {
    if (!path) return [];
    if (name === "RESTIC_REPOSITORY_FILE") return [{ key: name, path, holdsSecret: isSecretRepository }];
    const isSecretFile = name.endsWith("_FILE") && isSecret(name.slice(0, -"_FILE".length));
    return isSecretFile || OTHER_NAMES.includes(name) ? [{ key: name, path }] : [];
  });
}

/** The libraries that restic and rclone are made of read these; the last holds a private key beside its certificate. */
const OTHER_NAMES: readonly string[] = [
  "GOOGLE_APPLICATION_CREDENTIALS",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AZURE_CLIENT_CERTIFICATE_PATH",
  "RESTIC_TLS_CLIENT_CERT",
];

function namedByOptions(settings: Settings): Candidate[] {
  try {
    return readFlags(settings.words("RESTIC_OPTIONS"))
      .filter(({ flag }) => flag === "--tls-client-cert")
      .flatMap(({ value }) => (value ? [{ key: "RESTIC_OPTIONS", path: value }] : []));
  } catch (error) {
    // An unbalanced quote has a check of its own.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

function configurations(settings: Settings): Candidate[] {
  return [
    { key: "RCLONE_CONFIG", path: settings.text("RCLONE_CONFIG"), holdsSecret: isSecretConfig },
    {
      key: "REPLICATE_JOB_FILE",
      path: settings.text("REPLICATE_JOB_FILE"),
      holdsSecret: (text) => maskRemote(text) !== text,
    },
    ...msmtprcs(settings.env).map((path) => ({
      key: settings.configured("MAILX_RCPT") ? "MAILX_RCPT" : "MSMTPRC",
      path,
      holdsSecret: (text: string) => /^\s*password\s+\S/m.test(text),
    })),
  ];
}

/** `NAME=value` files beside the hooks, for what they dump. */
async function environmentFiles(hooksDir: string): Promise<Candidate[]> {
  const { stat } = await accessWithin(hooksDir, "read");
  if (!stat?.isDirectory()) return [];
  return (await promises.readdir(hooksDir))
    .filter((name) => /(^|\.)env$|^\.(pgpass|my\.cnf|netrc)$/.test(name))
    .map((name) => ({ key: "HOOKS_DIR", path: `${hooksDir}/${name}` }));
}

const isSecretRepository = (text: string): boolean =>
  text.split("\n").some((line) => createMask({ RESTIC_REPOSITORY: line })(line) !== line);

/** rclone.conf with a password, a key or a token. An encrypted one has no such line. */
const isSecretConfig = (text: string): boolean =>
  [...text.matchAll(/^\s*(\w+)\s*=\s*\S/gm)].some(([, key = ""]) => isSecret(`RCLONE_${key.toUpperCase()}`));

const OTHERS = { read: 0o004, write: 0o002 };
const GROUP = { read: 0o040, write: 0o020 };
const SMALL = 1024 * 1024;
/** Where Docker and Podman mount what compose.yml calls secrets: readable to all by default. */
const CONTAINER_SECRETS = /^\/(var\/)?run\/secrets\//;

/** undefined where nobody else can read it, and where that cannot be known: whether it can be read by us is another check. */
async function judge({ key, path, holdsSecret }: Candidate): Promise<Check | undefined> {
  const { stat } = await accessWithin(path, "read");
  if (!stat?.isFile()) return undefined;
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  const isOfOthers = !groups.includes(stat.gid);
  const can = (what: "read" | "write"): string | undefined => {
    if ((stat.mode & OTHERS[what]) !== 0) return "every user";
    return isOfOthers && (stat.mode & GROUP[what]) !== 0 ? `the group ${stat.gid}` : undefined;
  };
  const [reader, writer] = [can("read"), can("write")];
  if (reader === undefined && writer === undefined) return undefined;
  if (holdsSecret !== undefined && !holdsSecret(textOf(path))) return undefined;
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, "0");
  if (CONTAINER_SECRETS.test(path) && writer === undefined)
    return info(
      key,
      `${path} can be read by ${reader} of this container (mode ${mode}), as is usual for its secrets. Where programs ` +
        "run here as another user, mount it with mode: 0400.",
    );
  const what =
    writer === undefined
      ? `${reader} can read it`
      : reader === undefined || reader === writer
        ? `${writer} can ${reader === undefined ? "change" : "read and change"} it`
        : `${reader} can read it, and ${writer} can change it`;
  return warn(
    key,
    `${path} holds a secret, and ${what} (mode ${mode}). Run chmod 600 ${quoteWord(path)}; a Secret of Kubernetes takes ` +
      "defaultMode: 0400.",
  );
}

function textOf(path: string): string {
  try {
    return readSmallFile(path, SMALL, "latin1");
  } catch {
    // Too large, or it has gone: it is no such file then.
    return "";
  }
}
