/** cron.log is rotated while jobs write to it: no line is lost, and none is shown twice. */

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Container, canEnter, tree } from "../support/container.ts";
import { waitFor } from "../support/world.ts";

const LINES = 500;

/** Every number from 0 on, in order. */
const numbers = (text: string, writer: string) =>
  [...text.matchAll(new RegExp(`^${writer} (\\d+)$`, "gm"))].map((match) => Number(match[1]));
const all = Array.from({ length: LINES }, (_, at) => at);

describe.skipIf(!canEnter)(`rotation in ${tree}`, () => {
  test("one job holds the file for its lines every 10 ms, another opens it for each", async () => {
    using container = new Container();
    container.start({ env: { RESTIC_CHECK_REPOSITORY_STATUS: "OFF" } });
    await container.says("crond started");
    const count = `i=0; while [ $i -lt ${LINES} ]; do`;
    const next = "i=$((i + 1)); usleep 10000; done";
    const writers = [
      container.exec("sh", "-c", `{ ${count} echo "held $i"; ${next}; } >>/var/log/cron.log`),
      container.exec("sh", "-c", `${count} echo "opened $i" >>/var/log/cron.log; ${next}`),
    ];
    const rotate = () =>
      container.exec("env", "CRON_LOG_MAX_SIZE=1", "MAX_CRON_LOG_ARCHIVES=100", "/bin/rotate_log");
    const logs = () => readdirSync(join(container.root, "var/log"));
    const waiting = () => logs().filter((name) => /^cron\.log\.\d/.test(name));
    for (const turn of [1, 2, 3]) {
      await waitFor(() => container.output.includes(`held ${turn * 100}`), `line ${turn * 100}`);
      const { code, stdout } = await rotate();
      expect([code, stdout]).toEqual([0, expect.stringContaining("was renamed to")]);
    }
    // The first one is held by its writer to the end; the others can be packed at once, or one rotation later.
    expect(waiting().length).toBeGreaterThan(0);
    for (const { code } of await Promise.all(writers)) expect(code).toBe(0);
    expect((await rotate()).code).toBe(0);
    expect(waiting()).toEqual([]);
    const archives = logs().filter((name) => name.startsWith("cron_log_"));
    expect(archives).toHaveLength(4);
    const { stdout } = await container.exec(
      "sh",
      "-c",
      "cd /var/log; for f in cron_log_*; do tar -xzOf $f; done; cat cron.log",
    );
    const sorted = (writer: string, text: string) => numbers(text, writer).sort((a, b) => a - b);
    expect(sorted("held", stdout)).toEqual(all);
    expect(sorted("opened", stdout)).toEqual(all);
    await waitFor(
      () =>
        container.output.includes(`held ${LINES - 1}\n`) &&
        container.output.includes(`opened ${LINES - 1}\n`),
      "all",
    );
    expect(numbers(container.output, "held")).toEqual(all);
    expect(numbers(container.output, "opened")).toEqual(all);
    container.kill("SIGTERM");
    await container.ended();
    expect(numbers(container.output, "held")).toEqual(all);
  }, 60_000);
});
