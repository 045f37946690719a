/** Checks of the variables by their declared kind: numbers, switches, words, spelling, former names. */

import { misspeltText } from "../config/misspelt.ts";
import { Settings } from "../config/settings.ts";
import { type NameOf, type Variable, variables } from "../config/variables.ts";
import type { Environment } from "../environment.ts";
import { ConfigError } from "../errors.ts";
import type { Checks } from "./check.ts";
import { isAboutHooks } from "./hooks.ts";
import type { Patient } from "./patient.ts";

export function judgeValues(checks: Checks, { env, runs, misspelt }: Patient): void {
  const before = checks.list.length;
  const settings = new Settings(env, (message) => checks.warn(message));
  for (const [name, { kind, old }] of Object.entries<Variable>(variables)) {
    if (name.includes("<") || isAboutHooks(name)) continue;
    judgeValue(checks, settings, name, kind);
    if (old !== undefined && env[old]) judgeOld(checks, env, name, old);
  }
  for (const { name } of runs) settings.workTimeout(name);
  for (const each of misspelt) if (!isAboutHooks(each.name)) checks.warn(misspeltText(each));
  if (checks.list.length === before) checks.ok("Every value has the form that its variable needs.");
}

function judgeValue(checks: Checks, settings: Settings, name: string, kind: Variable["kind"]): void {
  switch (kind) {
    case "switch":
      settings.flag(name as NameOf<"switch">);
      return;
    case "count":
      settings.count(name as NameOf<"count">);
      return;
    case "seconds":
      settings.seconds(name as NameOf<"seconds">);
      return;
    case "words":
      try {
        settings.words(name as NameOf<"words">);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        checks.fail(error.message);
      }
      return;
    default:
      return;
  }
}

function judgeOld(checks: Checks, env: Environment, name: string, old: string): void {
  checks.warn(
    env[name]
      ? `${old} is the former name of ${name}, which is set too and wins. Remove ${old}.`
      : `${old} is the former name of ${name}; it still works. Rename it.`,
  );
}
