/**
 * What is missing or weak although each value has its form: backups that nobody thins out, checks or restores, a host
 * name that lasts no longer than its container, hooks that are nowhere, a password that everyone knows.
 */

import type { Settings } from "../config/settings.ts";
import { readSmallFile } from "../files/files.ts";
import { accessWithin } from "../files/within.ts";
import { PASSWORDS } from "../restic/restic.ts";
import { type Scheduled, scheduleFor } from "../state/schedules.ts";
import { type Check, warn } from "./checks.ts";

export async function checkProtection(context: Scheduled): Promise<Check[]> {
  const { settings } = context;
  return [
    ...checkCare(context),
    ...checkHostname(context),
    ...(await checkHooksDir(settings)),
    ...((await isWeak(settings)) ? [warn(passwordName(settings), WEAK)] : []),
  ];
}

/**
 * Only where backups are made on a schedule, be it BACKUP_CRON's default: a container that is made for one other worker
 * leaves the rest to others.
 */
function checkCare({ settings, schedules }: Scheduled): Check[] {
  const has = (job: string) => scheduleFor(schedules, job) !== undefined;
  if (!has("backup")) return [];
  const hasPolicy = settings.env.RESTIC_FORGET_ARGS?.trim() || has("forget");
  return [
    ...(hasPolicy
      ? []
      : [
          warn(
            "RETENTION",
            "no policy removes old snapshots, so that the repository grows for ever. Set RESTIC_FORGET_ARGS, for " +
              "example to --keep-daily 7 --keep-weekly 4 --keep-monthly 12, and PRUNE_CRON.",
          ),
        ]),
    ...(has("check")
      ? []
      : [
          warn(
            "CHECK",
            "no check of the repository is scheduled: damage would be found when a file is to be restored. Set " +
              "CHECK_CRON, for example to 30 4 * * sun.",
          ),
        ]),
    ...(has("restore-test")
      ? []
      : [
          warn(
            "RESTORE_TEST",
            "no restore-test is scheduled: whether the backups can be restored is not known. Set RESTORE_TEST_CRON, for " +
              "example to 30 6 1 * *.",
          ),
        ]),
  ];
}

/** docker names a container by the first twelve digits of its id, unless it is told otherwise. */
function checkHostname({ hostname }: Scheduled): Check[] {
  if (!/^[0-9a-f]{12}$/.test(hostname)) return [];
  return [
    warn(
      "HOSTNAME",
      `${hostname} is the random name that docker gives a container: with the next container snapshots have another ` +
        "host, and retention, which goes by host, never removes those of this one. Set a name that stays and is unique, by " +
        "hostname: in compose or docker run --hostname.",
    ),
  ];
}

/** Given, and not there: doctor's section Hooks, which judges all else of it, takes the default for what is meant. */
async function checkHooksDir(settings: Settings): Promise<Check[]> {
  if (!settings.env.HOOKS_DIR) return [];
  const path = settings.folder("HOOKS_DIR");
  const { isMissing } = await accessWithin(path, "read");
  return isMissing
    ? [warn("HOOKS_DIR", `${path} does not exist: no hook runs. Mount it, or unset HOOKS_DIR.`)]
    : [];
}

/** Characters; fewer are guessed in hours by who has got hold of a copy of the repository. */
const PASSWORD_LEAST = 8;

const WEAK =
  `is weak: it has fewer than ${PASSWORD_LEAST} characters, or is one that everybody tries, such as that of an example. ` +
  "Choose a long one. An existing repository gets it by restic key passwd.";

/** What examples ship and what is guessed first, compared without case, `-`, `_` and blanks. */
const COMMON = new Set(
  (
    "12345678 123456789 1234567890 0123456789 87654321 11111111 00000000 password password1 password12 password123 " +
    "password1234 passw0rd passwort passphrase changeme changeme1 changeme123 changeit changethis pleasechange " +
    "pleasechangeme replaceme replacethis replacewithpassword secretpassword mysecretpassword supersecret " +
    "supersecretpassword mysecret topsecret secret123 yourpassword yourpasswordhere yourresticpassword yourstrongpassword " +
    "yoursecurepassword yourrepositorypassword strongpassword securepassword verysecret verysecretpassword mypassword " +
    "mysecurepassword resticpassword restic123 resticrestic resticbackup backuppassword backup123 repositorypassword " +
    "examplepassword example123 testpassword testtest test1234 qwertyui qwerty123 qwertyuiop iloveyou letmein123 " +
    "admin123 administrator abcdefgh abcd1234 correcthorsebatterystaple hunter2hunter2 setapassword setme123 todochangeme"
  ).split(" "),
);

/** Is the password that restic would take a bad one? It is never printed. */
async function isWeak(settings: Settings): Promise<boolean> {
  const password = await passwordOf(settings);
  if (password === undefined || password === "") return false;
  // `<password>`, `{{password}}`, `${PASSWORD}`: a template that nobody has filled in.
  const word = password
    .toLowerCase()
    .replace(/^[<{[$(%"']+|[>}\])%"'!.]+$/g, "")
    .replace(/[-_\s]/g, "");
  return [...password].length < PASSWORD_LEAST || COMMON.has(word) || /^(.)\1*$/su.test(password);
}

/** undefined where it is not known: a command prints it, or it comes through a pipe that can be read once. */
async function passwordOf(settings: Settings): Promise<string | undefined> {
  const name = passwordName(settings);
  if (name === "RESTIC_PASSWORD") return settings.text(name);
  if (name !== "RESTIC_PASSWORD_FILE") return undefined;
  const path = settings.text(name);
  const { stat } = await accessWithin(path, "read");
  if (stat?.isFile() !== true) return undefined;
  try {
    // restic takes the blanks around it away, too.
    return readSmallFile(path, FILE_MOST).trim();
  } catch {
    // It is too large, or has gone: the check of the file says so.
    return undefined;
  }
}

const FILE_MOST = 65_536;

/** The variable that restic takes the password from. */
const passwordName = (settings: Settings) =>
  PASSWORDS.find((name) => settings.text(name) !== "") ?? "RESTIC_PASSWORD";
