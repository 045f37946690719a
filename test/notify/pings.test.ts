/** Whose ping a run sends, what stands in it, and which runs send none. */

import { describe, expect, test } from "bun:test";
import { pingServiceText } from "../../lib/notify/webhook.ts";
import { equip } from "../support/ready-repository.ts";
import { Receiver, status } from "../support/receiver.ts";
import { restic } from "../support/restics.ts";
import { converse } from "../support/terminal.ts";
import { World, waitFor } from "../support/world.ts";

const UUID = "5cdfd1d2-aaaa-4bbb-8ccc-1234567890ab";
const urlOf = (receiver: Receiver, path = `/ping/${UUID}`) => `http://127.0.0.1:${receiver.port}${path}`;
const pathsOf = ({ requests }: Receiver) => requests.map(({ path }) => path.replace(/\?.*/, ""));

describe("whose ping", () => {
  test.each([
    ["check", "HEALTHCHECKS_URL", []],
    ["sources-report", "HEALTHCHECKS_URL", []],
    ["check", "HEALTHCHECKS_URL_CHECK", ["start", "0"]],
    ["sources-report", "HEALTHCHECKS_URL_SOURCES_REPORT", ["start", "0"]],
    ["check", "HEALTHCHECKS_URL_BACKUP", []],
    ["backup", "HEALTHCHECKS_URL", ["start", "0"]],
    ["backup", "HEALTHCHECKS_URL_BACKUP", ["start", "0"]],
  ])("%s with %s pings %j", async (worker, name, words) => {
    using world = new World();
    world.restic();
    using receiver = await Receiver.start(status(200));
    const { code, stdout } = await world.run(worker, [], { env: { [name]: urlOf(receiver) } });
    expect(code).toBe(0);
    expect(pathsOf(receiver)).toEqual(words.map((word) => `/ping/${UUID}/${word}`));
    expect(stdout).not.toContain(UUID);
  });

  test("a redirect to another host is named, and not followed; one on the same host is", async () => {
    using world = new World();
    world.restic();
    using other = await Receiver.start(status(200), { host: "127.0.0.2" });
    const there = `http://127.0.0.2:${other.port}`;
    using receiver = await Receiver.start((socket, request, n) =>
      (request.path.startsWith("/moved")
        ? status(200)
        : status(301, { location: request.path.includes("/start") ? "/moved" : `${there}/x` }))(
        socket,
        request,
        n,
      ),
    );
    const { code, stdout } = await world.run("backup", [], { env: { HEALTHCHECKS_URL: urlOf(receiver) } });
    expect(code).toBe(0);
    expect(pathsOf(receiver)).toEqual([`/ping/${UUID}/start`, "/moved", `/ping/${UUID}/0`]);
    expect(other.requests).toEqual([]);
    expect(stdout.match(/WARN .*/g)).toEqual([
      expect.stringContaining(`it redirects (301) to another host, ${there}, which gets nothing.`),
    ]);
  });

  test("a worker's own by a file; given twice it is a configuration error, and doctor says so", async () => {
    using world = new World();
    world.restic();
    using receiver = await Receiver.start(status(200));
    const HEALTHCHECKS_URL_CHECK_FILE = world.file("url", `${urlOf(receiver)}\n`);
    expect((await world.run("check", [], { env: { HEALTHCHECKS_URL_CHECK_FILE } })).code).toBe(0);
    expect(receiver.requests).toHaveLength(2);
    const env = { HEALTHCHECKS_URL_CHECK_FILE, HEALTHCHECKS_URL_CHECK: urlOf(receiver) };
    const { code, stdout } = await world.run("check", [], { env });
    expect(code).toBe(2);
    expect(stdout).toContain("HEALTHCHECKS_URL_CHECK and HEALTHCHECKS_URL_CHECK_FILE are both set");
    const checked = await world.run("config-check", [], { env });
    expect(checked.stdout).toContain("HEALTHCHECKS_URL_CHECK and HEALTHCHECKS_URL_CHECK_FILE are both set");
  });

  test("every run has one rid of its own", async () => {
    using world = new World();
    world.restic();
    using receiver = await Receiver.start(status(200));
    for (let n = 0; n < 2; n++) await world.run("backup", [], { env: { HEALTHCHECKS_URL: urlOf(receiver) } });
    const rids = receiver.requests.map(({ path }) => new URL(path, "http://x").searchParams.get("rid"));
    expect(rids[0]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect([rids[1], rids[3]]).toEqual([rids[0], rids[2]]);
    expect(rids[2]).not.toBe(rids[0]);
  });
});

describe("what stands in it", () => {
  const SECRET = "correct horse battery";

  test.each([
    ["OFF", false],
    ["ON", true],
  ])("a summary, and with HEALTHCHECKS_LOG=%s the masked end of the log: %p", async (log, isThere) => {
    using world = new World();
    world.restic(
      `i=0; while [ $i -lt 2000 ]; do echo "line $i of $RESTIC_PASSWORD" >&2; i=$((i+1)); done; exit 1`,
    );
    world.hook("pre-backup", "exit 7");
    using receiver = await Receiver.start(status(200));
    const env = { HEALTHCHECKS_URL: urlOf(receiver), HEALTHCHECKS_LOG: log };
    await world.run("backup", [], { env });
    const { method, body } = receiver.requests[1] ?? { method: "", body: "" };
    expect(method).toBe("POST");
    expect(body).toMatch(/^\[FAIL 1, hook failed\] Backup testhost · /);
    expect(body).toContain("1 of 1 hook failed: pre-backup (");
    expect(body).toContain(`Run ${world.record().run_id}`);
    expect(body).not.toContain(SECRET);
    // The last line is in the summary, as restic's own reason.
    expect(body.includes("line 1998 of ***")).toBe(isThere);
    expect(body.includes("line 1 of")).toBe(false);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(10_000);
  });

  test("a service that takes no POST gets a plain ping", async () => {
    using world = new World();
    world.restic();
    using receiver = await Receiver.start((socket, request, n) =>
      status(request.method === "POST" ? 405 : 200)(socket, request, n),
    );
    const { stdout } = await world.run("backup", [], { env: { HEALTHCHECKS_URL: urlOf(receiver) } });
    expect(receiver.requests.map(({ method }) => method)).toEqual(["GET", "POST", "GET"]);
    expect(stdout).toContain(`ping delivered to http://127.0.0.1:${receiver.port} (200)`);
  });

  test.each(["OK (not found)", "OK (rate limited)"])("a 200 that says %p is a warning", async (said) => {
    using world = new World();
    world.restic();
    using receiver = await Receiver.start((socket) =>
      socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${said.length}\r\nconnection: close\r\n\r\n${said}`),
    );
    const { code, stdout } = await world.run("backup", [], { env: { HEALTHCHECKS_URL: urlOf(receiver) } });
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /WARN {2}backup {2}The ping to \S+ was not delivered: it answered 200, but says "/,
    );
    expect(stdout).not.toContain("ping delivered");
  });
});

describe("a stop", () => {
  test("pings the code of the run within a second, while a post-hook takes its time", async () => {
    using world = new World();
    world.restic('touch "$HOME/there"; exec sleep 30');
    world.hook("post-backup", "sleep 4");
    using receiver = await Receiver.start(status(200));
    const child = world.start("backup", [], { env: { HEALTHCHECKS_URL: urlOf(receiver) } });
    await waitFor(() => world.has("there"), "restic");
    const begun = performance.now();
    child.kill("SIGTERM");
    await waitFor(() => receiver.requests.length === 2, "the ping");
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(await child.exited).toBe(143);
    expect(pathsOf(receiver).at(-1)).toBe(`/ping/${UUID}/143`);
    expect(receiver.requests).toHaveLength(2);
  });

  test("a service that never answers costs a stopped run one second at the most", async () => {
    using world = new World();
    world.restic('touch "$HOME/there"; exec sleep 30');
    using receiver = await Receiver.start((socket, request, n) => {
      if (request.path.includes("/start")) status(200)(socket, request, n);
    });
    const child = world.start("backup", [], { env: { HEALTHCHECKS_URL: urlOf(receiver) } });
    await waitFor(() => world.has("there"), "restic");
    const begun = performance.now();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    expect(performance.now() - begun).toBeLessThan(3500);
    expect(receiver.requests).toHaveLength(2);
  });
});

test.each([
  ["a Ctrl-C", "backup", "echo there; exec sleep 30", [["there", { signal: "SIGINT" }]], 130],
  ["a value that is wrong", "backup", "exit 0", [], 2],
] as const)("%s at a terminal alerts nobody", async (what, worker, restic, steps, code) => {
  using world = new World();
  world.restic(restic);
  using receiver = await Receiver.start(status(200));
  world.env.HEALTHCHECKS_URL = urlOf(receiver);
  world.env.WEBHOOK_URL = urlOf(receiver, "/hook");
  world.env.METRICS_DIR = world.folder("metrics");
  if (what !== "a Ctrl-C") world.env.RESTIC_TAG = "";
  const { code: exit, unasked } = await converse(world, worker, [], steps);
  expect({ exit, unasked }).toEqual({ exit: code, unasked: [] });
  expect(receiver.lines).toEqual([]);
  expect(world.read("metrics/restic_backup.testhost.prom")).toContain(
    'restic_backup_consecutive_failures{hostname="testhost"} 0',
  );
});

test("q in restore alerts nobody", async () => {
  using world = new World();
  equip(world, restic);
  expect((await world.run("backup")).code).toBe(0);
  using receiver = await Receiver.start(status(200));
  world.env.HEALTHCHECKS_URL_RESTORE = urlOf(receiver);
  world.env.WEBHOOK_URL = urlOf(receiver, "/hook");
  const { code, unasked } = await converse(world, "restore", [], [["Which snapshot", "q\n"]]);
  expect({ code, unasked }).toEqual({ code: 130, unasked: [] });
  expect(receiver.lines).toEqual([]);
});

describe("a webhook that is a ping service", () => {
  test.each([
    [`https://hc-ping.com/${UUID}`, true],
    [`https://hc.example.org/ping/${UUID}`, true],
    ["https://kuma.example.org/api/push/abc?status=up", true],
    ["https://uptime.betterstack.com/api/v1/heartbeat/abc", true],
    ["https://hooks.slack.com/services/T0/B0/x", false],
    ["https://ntfy.sh/ping", false],
  ])("%s: %p", (url, isOne) => {
    expect(pingServiceText(new URL(url)) !== undefined).toBe(isOne);
  });

  test("the run and config-check warn of it and name HEALTHCHECKS_URL", async () => {
    using world = new World();
    world.restic("exit 1");
    using receiver = await Receiver.start(status(200));
    const env = { WEBHOOK_URL: urlOf(receiver) };
    const said = /WARN.*WEBHOOK_URL:? points to a ping service .* Set HEALTHCHECKS_URL to it instead/;
    expect((await world.run("backup", [], { env })).stdout).toMatch(said);
    expect((await world.run("config-check", [], { env })).stdout).toMatch(said);
  });
});
