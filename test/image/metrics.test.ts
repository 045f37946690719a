/** Prometheus rules and the Grafana dashboard: every metric that they name is one that a run leaves behind. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { YAML } from "bun";
import { renderMetrics } from "../../lib/notify/metrics.ts";
import type { RunRecord } from "../../lib/state/record.ts";
import { needing } from "../support/needing.ts";
import { restic } from "../support/restics.ts";
import { World } from "../support/world.ts";

const { beforeAll, test } = needing("restic");

const image = join(import.meta.dir, "../../lib/image");
const rules = readFileSync(join(image, "prometheus-rules.yml"), "utf8");
const dashboard = JSON.parse(readFileSync(join(image, "grafana-dashboard.json"), "utf8"));

/** The names of a real backup's metrics, with a hook and a policy, and of workers that have no fields of their own. */
let known: ReadonlySet<string> = new Set();
beforeAll(async () => {
  using world = new World();
  world.useRestic(restic.path);
  world.hook("pre-backup", "exit 0");
  const metrics = world.folder("metrics");
  await world.exec(["restic", "init"]);
  const { code, stdout } = await world.run("backup", [], {
    env: { METRICS_DIR: metrics, RESTIC_FORGET_ARGS: "--keep-last 1" },
  });
  if (code !== 0) throw new Error(stdout);
  const record: RunRecord = world.record();
  const others = ["check", "restore-test"].map((job) =>
    renderMetrics({ ...record, job }, { lastSuccess: 1, failures: 0 }, 0),
  );
  const text = [world.read("metrics/restic_backup.testhost.prom"), ...others].join("\n");
  known = new Set([...text.matchAll(/^(restic_\w+)\{/gm)].map((match) => match[1] ?? ""));
});

/** Those that an expression names, by name or by a pattern, and that nobody has. */
function unknownIn(expression: string): string[] {
  const patterns = [...expression.matchAll(/__name__=~"([^"]+)"/g)].map((match) => match[1] ?? "");
  const plain = [...expression.replaceAll(/"[^"]*"/g, '""').matchAll(/\brestic_\w+/g)].map(
    (match) => match[0],
  );
  return [
    ...patterns.filter((pattern) => ![...known].some((name) => new RegExp(`^(?:${pattern})$`).test(name))),
    ...plain.filter((name) => !known.has(name)),
  ];
}

test("a name that nobody has would be found", () => {
  expect(unknownIn('restic_backup_last_nonsense{a="b"} + {__name__=~"restic_.+_nonsense"}')).toEqual([
    "restic_.+_nonsense",
    "restic_backup_last_nonsense",
  ]);
  expect(known.size).toBeGreaterThan(30);
});

test("Prometheus rules", () => {
  // biome-ignore lint/suspicious/noExplicitAny: promtool judges the form
  const parsed: any = YAML.parse(rules);
  const expressions: string[] = parsed.groups.flatMap((group: { rules: { expr: string }[] }) =>
    group.rules.map(({ expr }) => expr),
  );
  expect(expressions.length).toBeGreaterThan(6);
  expect(expressions.flatMap(unknownIn)).toEqual([]);
});

test.skipIf(Bun.which("promtool") === null)(
  "promtool: the rules' form, and that each alert fires when it should",
  () => {
    for (const words of [
      ["check", "rules", join(image, "prometheus-rules.yml")],
      ["test", "rules", join(import.meta.dir, "prometheus-rules.yml")],
    ]) {
      const { exitCode, stdout, stderr } = Bun.spawnSync(["promtool", ...words]);
      expect([words[0], exitCode, `${stdout}${stderr}`]).toEqual([
        words[0],
        0,
        expect.stringContaining("SUCCESS"),
      ]);
    }
    const tested = readFileSync(join(import.meta.dir, "prometheus-rules.yml"), "utf8");
    for (const [, alert = ""] of rules.matchAll(/alert: (\w+)/g)) {
      const expectations = tested
        .split(`alertname: ${alert}\n`)
        .slice(1)
        .map((text) => /exp_alerts:( \[\])?/.exec(text)?.[1]);
      // Of each alert a time at which it is silent, and one at which it fires.
      expect([alert, expectations.includes(" []"), expectations.includes(undefined)]).toEqual([
        alert,
        true,
        true,
      ]);
    }
  },
);

test("Grafana dashboard", () => {
  const panels: {
    title: string;
    targets: { expr: string }[];
    gridPos: Record<"x" | "y" | "w" | "h", number>;
  }[] = dashboard.panels;
  const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const variables = dashboard.templating.list.flatMap(
    ({ definition }: { definition?: string }) => definition ?? [],
  );
  expect(expressions.length).toBeGreaterThan(10);
  expect([...expressions, ...variables].flatMap(unknownIn)).toEqual([]);
  for (const { title, gridPos } of panels)
    expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
});
