import { describe, expect, test } from "bun:test";
import { pingWord } from "../../lib/notify/notifier.ts";
import { pingUrl } from "../../lib/notify/webhook.ts";
import { Receiver, status } from "../support/receiver.ts";
import { World } from "../support/world.ts";

const urlOf = (receiver: Receiver) => `http://127.0.0.1:${receiver.port}/ping/5cdfd1d2-uuid`;
/** Without the id of the run. */
const linesOf = ({ lines }: Receiver) => lines.map((line) => line.replace(/\?rid=.*/, ""));

test.each([
  ["https://hc-ping.com/uuid", "start", "https://hc-ping.com/uuid/start?rid=r"],
  ["https://hc-ping.com/uuid/", "0", "https://hc-ping.com/uuid/0?rid=r"],
  ["https://hc.example/p/key/slug?create=1", "12", "https://hc.example/p/key/slug/12?create=1&rid=r"],
])("%s and %s", (url, word, pinged) => expect(pingUrl(new URL(url), word, "r").href).toBe(pinged));

test.each([
  [{ exit_code: 0, status: "ok" }, "0"],
  [{ exit_code: 3, status: "warning" }, "3"],
  [{ exit_code: 0, status: "warning" }, "fail"],
  [{ exit_code: 0, status: "dry-run" }, "log"],
  [{ exit_code: 0, status: "dry-run", alerts: [{ kind: "dry-run", message: "x" }] }, "fail"],
] as const)("%j is pinged as %s", (record, word) => expect(pingWord(record)).toBe(word));

describe("pings", () => {
  test.each([
    ["exit 0", 0],
    ["exit 3", 3],
    ["exit 12", 12],
    ["kill -SEGV $$", 139],
  ])("/start before the work and the exit code after it: restic does %p", async (restic, code) => {
    using world = new World();
    using receiver = await Receiver.start(status(200));
    world.restic(restic);
    const result = await world.run("backup", [], { env: { HEALTHCHECKS_URL: urlOf(receiver) } });
    expect({ code: result.code, stderr: result.stderr }).toEqual({ code, stderr: "" });
    const lines = linesOf(receiver);
    expect(lines).toEqual(["GET /ping/5cdfd1d2-uuid/start", `POST /ping/5cdfd1d2-uuid/${code}`]);
    expect(result.stdout).not.toContain("uuid");
    const at = (words: string) => result.stdout.indexOf(words);
    expect(at("ping of the start delivered")).toBeGreaterThan(at("backup started"));
    expect(at("ping of the start delivered")).toBeLessThan(at("Backing up to"));
    expect(at("ping delivered")).toBeGreaterThan(at("Backing up to"));
  });

  test("a server that never answers holds the work up for a second, and the run for the bound of one ping", async () => {
    using world = new World();
    world.restic("date +%s%N > $HOME/began");
    using receiver = await Receiver.start((socket, request, n) => {
      if (!request.path.includes("/start?")) status(200)(socket, request, n);
    });
    const begun = Date.now();
    const { code, stdout } = await world.run("backup", [], { env: { HEALTHCHECKS_URL: urlOf(receiver) } });
    expect(code).toBe(0);
    const waited = Number(world.read("began")) / 1e6 - begun;
    expect(waited).toBeGreaterThan(900);
    expect(waited).toBeLessThan(8000);
    expect(stdout).toContain(
      "The ping of the start to http://127.0.0.1:" +
        `${receiver.port} was not delivered: it was given up, because the work has ended.`,
    );
    // The late start never overtakes the end.
    expect(linesOf(receiver).at(-1)).toEndWith("/0");
  });

  test("a configuration error is an end too", async () => {
    using world = new World();
    world.restic();
    using receiver = await Receiver.start(status(200));
    const env = { HEALTHCHECKS_URL: urlOf(receiver), RESTIC_TAG: "" };
    const { code } = await world.run("backup", [], { env });
    expect(code).toBe(2);
    expect(linesOf(receiver).map((line) => line.slice(-6))).toEqual(["/start", "uuid/2"]);
  });

  test("a skip pings nobody", async () => {
    using world = new World();
    world.restic();
    using receiver = await Receiver.start(status(200));
    const env = { HEALTHCHECKS_URL: urlOf(receiver) };
    const lock = `${world.lock}/backup.lock`;
    const { code, stdout } = await world.exec(
      ["flock", lock, world.link("locked_run"), "backup", lock, world.link("backup")],
      { env },
    );
    expect(code).toBe(0);
    expect(stdout).toContain("backup skipped");
    expect(receiver.lines).toEqual([]);
  });
});
