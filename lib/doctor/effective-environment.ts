/**
 * Section Effective environment, and the worker env: every variable that counts here, with its value, secrets masked.
 * A variable that the image's ENV lines set looks like one that the container was given; so the image's build notes
 * them in a file (`RUN restic-backup-helper env --image`), which is read and written here.
 */

import { type Settings, VALUE_FILE_MOST } from "../config/settings.ts";
import { type Variable, type VariableName, variables } from "../config/variables.ts";
import type { Environment } from "../environment.ts";
import { makeFolder, readIfThere, readSmallFile, replaceFile } from "../files/files.ts";
import { isSecret, isWebhookName, maskCommand, maskRepository, maskWebhook, PLACEHOLDER } from "../mask.ts";
import { singleLine } from "../text.ts";
import { Checks, type Findings } from "./checks.ts";
import { columns, wrapped } from "./rendering.ts";

/** Read by restic, rclone and the libraries in them, not by us. */
const HANDED_ON = /^((AWS|AZURE|B2|GOOGLE|OS|RCLONE|RESTIC|ST)_.+|(https?|no)_proxy)$/i;

export interface Entry {
  readonly name: string;
  /** As it may be shown; undefined when the variable is not set and has no default. */
  readonly value: string | undefined;
  /** Where it comes from, when not from the variable itself. */
  readonly from?: string;
}

export type EnvironmentJson = Readonly<Record<string, string | null>>;

export function effectiveEnvironment(entries: readonly Entry[]): Findings<EnvironmentJson> {
  const set = entries.filter(({ value }) => value !== undefined);
  const unset = entries.filter(({ value }) => value === undefined).map(({ name }) => name);
  const lines = columns(
    set.map(({ name, value = "", from }) => [name, `${singleLine(value)}${noted(from)}`]),
  );
  return {
    lines: [...lines, ...wrapped("Not set:", unset)],
    checks: new Checks("Effective environment").list,
    json: Object.fromEntries(entries.map(({ name, value }) => [name, value ?? null])),
  };
}

const noted = (from: string | undefined): string => (from === undefined ? "" : `  (${from})`);

/** Entry.from of a value that the image set. */
export const BY_IMAGE = "image default";

/**
 * Every variable that counts. `known`: every name that we read. `repository`: the one that counts, as it may be
 * shown; undefined when none is configured. `image`: what the image sets.
 */
export function buildEntries(
  settings: Settings,
  known: ReadonlySet<string>,
  repository: string | undefined,
  image: ImageDefaults = {},
): Entry[] {
  const { env } = settings;
  const declared = Object.entries<Variable>(variables)
    .filter(([name]) => !name.includes("<"))
    .map(([name, variable]): Entry => {
      if (name === "RESTIC_REPOSITORY" && env.RESTIC_REPOSITORY_FILE) {
        return { name, value: repository, from: "from RESTIC_REPOSITORY_FILE" };
      }
      return buildEntry(name as VariableName, variable, env, image);
    });
  const names = new Set(declared.map(({ name }) => name));
  const others = Object.keys(env)
    .filter((name) => env[name] && !names.has(name) && (known.has(name) || HANDED_ON.test(name)))
    .sort()
    .map((name) => buildOwnEntry(name, env[name] ?? "", image));
  return [...declared, ...others];
}

function buildOwnEntry(name: string, value: string, image: ImageDefaults): Entry {
  const entry = { name, value: shown(name, value) };
  return Object.hasOwn(image, name) && image[name] === value ? { ...entry, from: BY_IMAGE } : entry;
}

/**
 * The variables of an environment that an image may set: those that we read or hand on, except secrets and what the
 * build itself is given (its host's name, its proxies). `refused`: the names of secrets.
 */
export function findImageDefaults(
  env: Environment,
  known: ReadonlySet<string>,
): { defaults: ImageDefaults; refused: string[] } {
  const set = Object.entries(env).filter(
    ([name, value]) =>
      value && (known.has(name) || HANDED_ON.test(name)) && name !== "HOSTNAME" && !/_proxy$/i.test(name),
  ) as [string, string][];
  const isOpen = ([name, value]: [string, string]) => shown(name, value) === value;
  return {
    defaults: Object.fromEntries(set.filter(isOpen).sort()),
    refused: set.filter((each) => !isOpen(each)).map(([name]) => name),
  };
}

function buildEntry(
  name: VariableName,
  { fallback, file, old, emptyIsOff }: Variable,
  env: Environment,
  image: ImageDefaults,
): Entry {
  const path = env[`${name}_FILE`];
  if (env[name]) return buildOwnEntry(name, env[name], image);
  if (file && path) return { name, value: shown(name, readContent(path)), from: `from ${name}_FILE` };
  if (old && env[old]) return { name, value: shown(name, env[old]), from: `from ${old}` };
  if (emptyIsOff && env[name] !== undefined) return { name, value: "", from: "off" };
  return fallback === undefined ? { name, value: undefined } : { name, value: fallback, from: "default" };
}

/** The value as it may be shown. */
export function shown(name: string, value: string): string {
  if (isWebhookName(name)) return maskWebhook(value);
  if (isSecret(name)) return PLACEHOLDER;
  return name.includes("REPOSITORY") ? maskRepository(value) : maskCommand(value);
}

function readContent(path: string): string {
  try {
    return readSmallFile(path, VALUE_FILE_MOST).trim();
  } catch {
    // The configuration checks say that it cannot be read.
    return "";
  }
}

export type ImageDefaults = Readonly<Record<string, string>>;

/** Beside the program, by hier(7): /usr/local/share/… for /usr/local/bin/restic-backup-helper. */
const FOLDER = `${process.execPath.replace(/\/[^/]*\/[^/]*$/, "")}/share/restic-backup-helper`;
const FILE = `${FOLDER}/image.json`;

/** {} where the image's build has noted nothing, or the file cannot be read: then every value counts as given. */
export function readImageDefaults(): ImageDefaults {
  try {
    return (JSON.parse(readIfThere(FILE) ?? "{}") ?? {}) as ImageDefaults;
  } catch {
    // Half a file, or not ours to read: as if nothing had been noted.
    return {};
  }
}

/** Returns the path of the file. Throws what mkdir(2), open(2) and rename(2) say. */
export function writeImageDefaults(defaults: ImageDefaults): string {
  makeFolder(FOLDER);
  replaceFile(FILE, `${JSON.stringify(defaults, null, 2)}\n`);
  return FILE;
}
