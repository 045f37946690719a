/** What the README says of the deployment. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { variables } from "../../lib/config/variables.ts";

const root = join(import.meta.dir, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const section = readme.slice(readme.indexOf("\n## Deployment"), readme.indexOf("\n## The source"));

test("every file that it links is there", () => {
  const linked = [...section.matchAll(/\]\((lib\/[^)]+)\)/g)].map((match) => match[1]!);
  expect(linked.length).toBeGreaterThan(4);
  expect(linked.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("docker run, compose and Kubernetes, with hooks mounted in each; only variables that there are", () => {
  for (const [heading, mount] of [
    ["### docker run", ":/hooks:ro"],
    ["### Compose", "hooks from `./hooks`"],
    ["### Kubernetes", "defaultMode: 0755"],
  ] as const) {
    const [, part = ""] = section.split(heading);
    expect(part.split("\n### ")[0]).toContain(mount);
  }
  const named = [...section.matchAll(/--env ([A-Z_]+)=/g)].map((match) => match[1]!);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !(name in variables))).toEqual([]);
});
