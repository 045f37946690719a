/** env: every variable with the value that counts, and where that comes from. */

import { knownNames, misspelt, misspeltText } from "../config/misspelt.ts";
import type { Settings } from "../config/settings.ts";
import { type NameOf, type Variable, type VariableName, variables } from "../config/variables.ts";
import { Context } from "../context.ts";
import {
  BY_IMAGE,
  buildEntries,
  type Entry,
  findImageDefaults,
  readImageDefaults,
  writeImageDefaults,
} from "../doctor/effective-environment.ts";
import { type Environment, environment, release } from "../environment.ts";
import { ConfigError, EXIT, Failure, reasonOf } from "../errors.ts";
import { print } from "../log/stdout.ts";
import { isSecret, masked } from "../mask.ts";
import { type Command, hookPhases, type Invocation, workerNames } from "../run/command.ts";
import { singleLine, tableLines, visibleJson } from "../text.ts";
import { iso } from "../time/zone.ts";

const FLAGS = {
  json: { type: "boolean", alias: "j", description: "print one JSON object instead of lines" },
  image: {
    type: "boolean",
    description:
      "note what is set now as what this image sets; for a RUN behind the ENV lines of a Dockerfile",
  },
} as const;

const command: Command<typeof FLAGS> = {
  about:
    "Shows every variable of this program, and those that it hands on: the value that counts, its default, and where " +
    "it comes from. Secrets are masked. Names what is not understood: values, and variables that are misspelt.",
  flags: FLAGS,
  environment: Object.keys(variables) as VariableName[],
  exits: [
    ["0", "shown, whatever it is; or noted"],
    ["1", "--image: it cannot be noted, or ENV sets a secret"],
    ["2", "the command line is wrong"],
  ],
  main,
};
export default command;

type Origin = "environment" | typeof BY_IMAGE | "file" | "old name" | "default" | "unset";

/** A line of the table, and an object of the JSON. */
interface Shown {
  readonly name: string;
  readonly value: string | null;
  readonly default: string | null;
  readonly origin: Origin;
  /** The other variable or the file that it comes from. */
  readonly from?: string;
  readonly secret: boolean;
  /** The value that was given, when it makes no sense and the default counts instead. */
  readonly ignored?: string;
}

async function main({ flags, table }: Invocation<typeof FLAGS>): Promise<number> {
  const workers = workerNames(table);
  const known = knownNames(hookPhases(table), workers);
  if (flags.image) return note(known);
  const image = readImageDefaults();
  const complaints: string[] = [];
  const context = new Context("env", { onOddValue: (message) => complaints.push(message) });
  const { settings, mask, hostname, zone, shownRepository } = context;
  const rows = buildEntries(settings, known, shownRepository, image).map((entry) => ({
    ...buildRow(entry, settings),
    ...(Object.hasOwn(image, entry.name) ? { default: image[entry.name] as string } : {}),
  }));
  for (const worker of workers) settings.workTimeout(worker);
  for (const phase of hookPhases(table)) settings.hookTimeout(phase);
  const strays = misspelt(environment, known);
  const notes = [...complaints, ...strays.map((stray) => `${stray.name} ${misspeltText(stray)}`)];
  if (flags.json) {
    const now = Date.now();
    const answer = {
      schema: "restic-backup-helper.env/1",
      release,
      hostname,
      generated_at: iso(now, zone),
      generated_epoch: Math.floor(now / 1000),
      variables: rows,
      misspelt: strays,
      warnings: notes,
    };
    print(`${visibleJson(masked(answer, mask))}\n`);
    return EXIT.ok;
  }
  const lines = [["VARIABLE", "FROM", "DEFAULT", "VALUE"], ...rows.map(formatCells)];
  const text = tableLines(lines.map((line) => line.map((cell) => singleLine(mask(cell)))));
  const warnings = notes.map((note) => `[WARN] ${singleLine(mask(note))}`);
  print(`${[...text, ...(warnings.length > 0 ? ["", ...warnings] : [])].join("\n")}\n`);
  return EXIT.ok;
}

/** A secret in an image can be read by everyone who has it, so its build fails. */
function note(known: ReadonlySet<string>): number {
  const { defaults, refused } = findImageDefaults(environment, known);
  if (refused.length > 0) {
    throw new Failure(
      `ENV sets ${refused.join(", ")}: everyone who has the image can read that. Give it to the container instead.`,
      EXIT.failed,
    );
  }
  try {
    const names = Object.keys(defaults);
    print(`${writeImageDefaults(defaults)}: ${names.join(", ") || "the image sets nothing"}\n`);
    return EXIT.ok;
  } catch (error) {
    throw new Failure(`What the image sets cannot be noted: ${reasonOf(error)}.`, EXIT.failed);
  }
}

function formatCells({ value, default: fallback, origin, from, name, ignored }: Shown): string[] {
  const source = from === undefined ? origin : `${origin} ${from}`;
  return [
    name,
    ignored === undefined ? source : `${origin} (${ignored} makes no sense)`,
    fallback ?? "-",
    value ?? "-",
  ];
}

function buildRow({ name, value, from }: Entry, settings: Settings): Shown {
  const declared: Variable | undefined = Object.hasOwn(variables, name)
    ? variables[name as VariableName]
    : undefined;
  const fallback = declared?.fallback ?? null;
  const row = { name, default: fallback, secret: isSecret(name) };
  if (value === undefined) return { ...row, value: null, origin: "unset" };
  if (
    declared !== undefined &&
    from !== "default" &&
    !isUnderstood(settings, name as VariableName, declared)
  ) {
    return { ...row, value: fallback, origin: "default", ignored: value };
  }
  return { ...row, value, ...parseOrigin(from, environment) };
}

/** Settings reports a value that it does not understand, and takes the default. */
function isUnderstood(settings: Settings, name: VariableName, { kind }: Variable): boolean {
  let understood = true;
  // A context of its own: the command's reports each value once, and may have reported this one.
  const probe = new Context("env", {
    env: settings.env,
    onOddValue: () => {
      understood = false;
    },
  }).settings;
  for (const each of [probe, settings]) {
    try {
      if (kind === "switch") each.flag(name as NameOf<"switch">);
      if (kind === "choice") each.choice(name as NameOf<"choice">);
      // Hooks read this one in their own way.
      if (name === "HOOK_TIMEOUT") each.hookTimeout("");
      else if (kind === "count") each.count(name as NameOf<"count">);
      else if (kind === "seconds") each.seconds(name as NameOf<"seconds">);
      if (kind === "words") each.words(name as NameOf<"words">);
    } catch (error) {
      // An unbalanced quote, or a variable that was given twice: config-check and the worker say so.
      if (!(error instanceof ConfigError)) throw error;
    }
  }
  return understood;
}

function parseOrigin(from: string | undefined, env: Environment): { origin: Origin; from?: string } {
  if (from === undefined) return { origin: "environment" };
  if (from === "default" || from === BY_IMAGE) return { origin: from };
  const name = from.replace(/^from /, "");
  return name.endsWith("_FILE")
    ? { origin: "file", from: env[name] ?? name }
    : { origin: "old name", from: name };
}
