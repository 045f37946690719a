/**
 * Writes the tables of the README that follow from the code: the commands and the environment. `make format` runs
 * it; test/readme.test.ts fails when they are not up to date.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Variable, variables } from "../../lib/config/variables.ts";
import { table } from "../../lib/workers/index.ts";

const path = join(import.meta.dir, "../../README.md");

/** The README as it should be. */
export function renderReadme(text: string): string {
  return fill(fill(text, "commands", commands()), "variables", environment());
}

function commands(): string {
  const rows = table.map(({ name, aliases = [], kind, summary, link }) => {
    const names = [link === false ? `restic-backup-helper ${name}` : name, ...aliases]
      .map((each) => `\`${each}\``)
      .join(", ");
    return `| ${names} | ${kind === "run" ? "run" : "tool"} | ${summary} |`;
  });
  return ["| command | | what it does |", "| --- | --- | --- |", ...rows].join("\n");
}

function environment(): string {
  const rows = Object.entries<Variable>(variables).map(([name, { fallback, help, file, secret, old }]) => {
    const notes = [secret && "secret", file && `or \`${name}_FILE\``, old && `formerly \`${old}\``].filter(
      Boolean,
    );
    const cell = notes.length > 0 ? `${help} (${notes.join("; ")})` : help;
    return `| \`${name}\` | ${fallback === undefined ? "" : `\`${fallback}\``} | ${cell.replaceAll("|", "\\|")} |`;
  });
  return ["| variable | default | |", "| --- | --- | --- |", ...rows].join("\n");
}

function fill(text: string, what: string, content: string): string {
  const begin = `<!-- table of ${what}: made by test/tools/readme -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf("<!-- end -->", from);
  if (from < 0 || to < 0) throw new Error(`README.md has no place for the table of ${what}.`);
  return `${text.slice(0, from)}${begin}\n\n${content}\n\n${text.slice(to)}`;
}

if (import.meta.main) writeFileSync(path, renderReadme(readFileSync(path, "utf8")));
