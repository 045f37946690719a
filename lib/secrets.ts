/**
 * Which secrets of our environment a program that we start is not to see. What does a moment's work for us gets none at
 * all (plainEnvironment in process/spawn.ts); hooks, jobs and the command of locked_run get everything, as they are the
 * operator's own, and so does restic, whose password command, sftp.command and --stdin-from-command may need anything.
 * Between them stand rclone, sendmail and tar: here is what each of them has to do without.
 *
 * What a program needs cannot be known from names alone where it calls another program of the operator's choice for its
 * own password. So a secret that its configuration names is its own, and where there is such a program, only what is
 * restic's or for our messages is kept from it: `vault` needs a VAULT_TOKEN that nobody names.
 */

import { variables } from "./config/variables.ts";
import type { ChildEnvironment, Environment } from "./environment.ts";
import { readSmallFile } from "./files/files.ts";
import { createMask, isSecret } from "./mask.ts";

interface Program {
  /** The variables that it, or the libraries it is made of, read. */
  readonly reads: RegExp;
  /** In its configuration, its words or its variables: it is told of a program that it calls. */
  readonly calls?: RegExp;
}

/** What rclone's backends read where they are told env_auth, its own flags, and what ssh and a proxy need. */
const RCLONE: Program = {
  reads: /^(RCLONE|AWS|AZURE|GOOGLE|CLOUDSDK|OS|ST|OCI|SSH|KRB5)_|^SSHPASS$|_PROXY$/i,
  calls: /[_-]command["']?\s*[= ]|(?<![\w/.])(\w+[_-])*ssh["']?\s*[= ]|metadata[_-]mapper/i,
};

/** msmtp's passwordeval is a command; a sendmail that is a script names what it takes. */
const SENDMAIL: Program = {
  reads: /^(MSMTP|SMTP|ESMTP|SSMTP|MAIL|EMAIL|SENDMAIL|SASL|NULLMAILER)|_PROXY$/i,
  calls: /passwordeval/i,
};

/** It reads none; for what packs and unpacks. */
const NOTHING: Program = { reads: /(?!)/ };

/** Bytes of a configuration that is searched for names. */
const CONFIG_MOST = 1024 * 1024;

/** For rclone with these words; to be merged into its environment. */
export function hiddenFromRclone(
  env: Environment,
  config: string,
  words: readonly string[],
): ChildEnvironment {
  return hidden(env, RCLONE, `${words.join(" ")}\n${textOf(config)}`);
}

/** For sendmail; `path` is the program, which may be a script. */
export function hiddenFromSendmail(env: Environment, path: string): ChildEnvironment {
  const files = [...msmtprcs(env), path];
  return hidden(env, SENDMAIL, files.map(textOf).join("\n"));
}

/** For tar and the like. */
export const hiddenFromTools = (env: Environment): ChildEnvironment => hidden(env, NOTHING, "");

/** Where msmtp looks for its configuration (msmtp(1)), and where operators say it is. */
export function msmtprcs({ MSMTPRC, HOME, XDG_CONFIG_HOME }: Environment): string[] {
  const own = XDG_CONFIG_HOME || (HOME ? `${HOME}/.config` : "");
  return [
    MSMTPRC ?? "",
    HOME ? `${HOME}/.msmtprc` : "",
    own === "" ? "" : `${own}/msmtp/config`,
    "/etc/msmtprc",
  ].filter((path) => path !== "");
}

/** The secrets that are not the program's, each as undefined; `said`: what it is told otherwise than by variables. */
function hidden(env: Environment, { reads, calls }: Program, said: string): ChildEnvironment {
  const own = Object.entries(env).filter(([name, value]) => value && reads.test(name));
  const told = `${said}\n${own.map(([name, value]) => `${name}=${value}`).join("\n")}`;
  const named = new Set(told.match(/\w+/g));
  const callsOthers = calls?.test(told) ?? false;
  const names = Object.keys(env).filter(
    (name) => !reads.test(name) && !named.has(name) && (!callsOthers || isOfOthers(name)),
  );
  return Object.fromEntries(
    names.filter((name) => holdsSecret(name, env[name] ?? "")).map((name) => [name, undefined]),
  );
}

/** Is it restic's, or for our messages? */
const isOfOthers = (name: string): boolean =>
  Object.hasOwn(variables, name) || /^(RESTIC|WEBHOOK|HEALTHCHECKS)_/.test(name);

/** By its name, or as a part of its value: a URL with a password, a flag with one. What a `_FILE` variable holds is a path. */
const holdsSecret = (name: string, value: string): boolean =>
  !name.endsWith("_FILE") && (isSecret(name) || createMask({ [name]: value })(value) !== value);

function textOf(path: string): string {
  try {
    return readSmallFile(path, CONFIG_MOST, "latin1");
  } catch {
    // Missing, unreadable, or no configuration but a large binary: it names nothing.
    return "";
  }
}
