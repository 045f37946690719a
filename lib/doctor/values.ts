/** Does each value have the form that its variable is declared with? Pure, but for the files of *_FILE. */

import { knownNames, misspelt, misspeltText } from "../config/misspelt.ts";
import { oddities } from "../config/odd.ts";
import {
  DURATION,
  HOOK_DURATION,
  noneOf,
  parseOption,
  readSeconds,
  readValueFile,
  type Settings,
  screaming,
  wholeNumber,
} from "../config/settings.ts";
import { declarations, type VariableName, variables } from "../config/variables.ts";
import { runtimeVariables } from "../environment.ts";
import { ConfigError } from "../errors.ts";
import { isDryRun } from "../restic/backup-args.ts";
import { plural } from "../text.ts";
import { splitWords, UnbalancedQuote } from "../words.ts";
import { type Check, fail, ok, warn } from "./checks.ts";

export function checkValues(settings: Settings, workers: readonly string[]): Check[] {
  const { env } = settings;
  const declared = Object.keys(variables) as VariableName[];
  return [
    ...declared.flatMap((name) => checkValue(name, env[name])),
    ...declared.flatMap((name) => checkFile(name, env)),
    ...declared.flatMap((name) => checkOld(name, env)),
    ...checkPatterns(env, workers),
    ...checkRuntime(env),
  ];
}

/** What people set for other programs that Bun or Node runs. */
function checkRuntime(env: Settings["env"]): Check[] {
  const taken = runtimeVariables.map((name) =>
    warn(name, "is a variable of Bun's: it has no effect here, and no child or hook gets it. Unset it."),
  );
  if (env.NODE_TLS_REJECT_UNAUTHORIZED !== "0") return taken;
  const remedy = "Unset it, and name your CA's file in NODE_EXTRA_CA_CERTS.";
  const message = `0 has webhooks and pings trust every certificate, a stranger's too. ${remedy}`;
  return [...taken, warn("NODE_TLS_REJECT_UNAUTHORIZED", message)];
}

/** Where a value is so odd that it cannot work, that is its one verdict: that it cannot be read follows from it. */
export function withOddities(env: Settings["env"], checks: readonly Check[]): Check[] {
  const odd = oddities(env);
  const names = new Set(odd.flatMap(({ name, fails }) => (fails ? [name] : [])));
  return [
    ...checks.filter(({ key = "", status }) => status === "OK" || !names.has(key)),
    ...odd.map(({ name, message, fails }) => (fails ? fail : warn)(name, message)),
  ];
}

/** A number is always shown; any other value that is right needs no line. */
function checkValue(name: VariableName, value: string | undefined): Check[] {
  const { kind, fallback } = declarations[name];
  if (name.includes("<")) return [];
  if (value && kind === "seconds" && parseOption(name, value) === "OFF") return [ok(name, value)];
  const shown = value || (fallback === undefined ? "" : `${fallback} (the default)`);
  switch (kind) {
    case "count":
      return [number(name, value, shown, wholeNumber, "a whole number")];
    case "seconds":
      return [number(name, value, shown, readSeconds, name === "HOOK_TIMEOUT" ? HOOK_DURATION : DURATION)];
    case "switch":
    case "choice":
      return value && parseOption(name, value) === undefined
        ? [warn(name, `${value} is ${noneOf(name)}; ${fallback} is used.`)]
        : [];
    case "words":
      return value ? words(name, value) : [];
    default:
      return [];
  }
}

type Parse = (text: string) => number | undefined;

function number(
  name: string,
  value: string | undefined,
  shown: string,
  parse: Parse,
  expected: string,
): Check {
  if (!value || parse(value) !== undefined) return ok(name, shown || "not set");
  return fail(name, `${value} is not ${expected}.`);
}

function words(name: string, value: string): Check[] {
  try {
    const given = splitWords(value);
    if (isDryRun(given)) return [warn(name, "has --dry-run (-n): each run changes nothing. Take it out.")];
    return [ok(name, plural(given.length, "word"))];
  } catch (error) {
    if (!(error instanceof UnbalancedQuote)) throw error;
    return [fail(name, `${error.message}.`)];
  }
}

/** A value that may be given as a file is given once only, and the file can be read. */
function checkFile(name: VariableName, env: Settings["env"]): Check[] {
  const path = declarations[name].file && env[`${name}_FILE`];
  if (!path) return [];
  if (env[name]) return [fail(name, `${name} and ${name}_FILE are both set. Unset one of them.`)];
  try {
    readValueFile(`${name}_FILE`, path);
    return [ok(`${name}_FILE`, path)];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [fail(`${name}_FILE`, error.message)];
  }
}

function checkOld(name: VariableName, env: Settings["env"]): Check[] {
  const { old } = declarations[name];
  return old !== undefined && env[old] ? [warn(old, `is the old name of ${name}. Rename it.`)] : [];
}

/** HOOK_TIMEOUT_PRE_BACKUP, BACKUP_TIMEOUT and their like of every worker; and names that are misspelt. */
function checkPatterns(env: Settings["env"], workers: readonly string[]): Check[] {
  const phases = workers.flatMap((worker) => [`pre-${worker}`, `post-${worker}`]);
  const hooks = phases.map((phase) => `HOOK_TIMEOUT_${screaming(phase)}`);
  const works = workers.map((worker) => `${screaming(worker)}_TIMEOUT`);
  const numbers = Object.entries(env).flatMap(([name, value]) => {
    if (!value) return [];
    if (hooks.includes(name)) return [number(name, value, value, readSeconds, HOOK_DURATION)];
    return works.includes(name) ? [number(name, value, value, readSeconds, "a duration such as 6h")] : [];
  });
  const strays = misspelt(env, knownNames(phases, workers));
  return [...numbers, ...strays.map((stray) => warn(stray.name, misspeltText(stray)))];
}
