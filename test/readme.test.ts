import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renderReadme } from "./tools/readme.ts";

const readme = readFileSync(join(import.meta.dir, "../README.md"), "utf8");

test("the README's tables of commands and variables are those of the code (make format writes them)", () => {
  expect(readme).toBe(renderReadme(readme));
});

test("the README names only targets of the Makefile", () => {
  const makefile = readFileSync(join(import.meta.dir, "../Makefile"), "utf8");
  const named = [...readme.matchAll(/`make ([a-z-]+)/g)].map((match) => match[1]);
  expect(named).not.toBeEmpty();
  for (const target of named) expect(makefile).toMatch(new RegExp(`^${target}:`, "m"));
});
