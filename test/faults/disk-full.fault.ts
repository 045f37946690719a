// Writes that end in the middle, and a disk that fills up in mid-run.
import { expect, test } from "bun:test";
import { canMount, Mount } from "../support/faulty-mounts.ts";
import { forget, LOST, leftovers, prepare } from "./disk.ts";
import { fault } from "./fault.ts";

fault(
  {
    injected: "writes that end in the middle (ulimit -f), at 60 lengths from 0 to 3,000 bytes",
    promised:
      "each file is the old one or the new one, each line of the history whole; one line says what is lost",
  },
  async (world) => {
    // The limit holds for what is started, too: it writes no file here.
    for (const phase of ["pre", "post"]) world.hook(`${phase}-backup`, "echo here");
    await world.run("backup");
    let said = 0;
    let kept = 0;
    for (let bytes = 0; bytes < 3000; bytes += 50) {
      const before = world.read("log/last-backup.json");
      const lines = world.history();
      const { code, stdout } = await world.exec(["prlimit", `--fsize=${bytes}`, "backup"]);
      expect({ bytes, code, hooks: stdout.match(/ \| here$/gm)?.length }).toEqual({
        bytes,
        code: 0,
        hooks: 2,
      });
      expect((stdout.match(LOST) ?? []).length).toBeLessThan(2);
      said += (stdout.match(LOST) ?? []).length;
      kept += before === world.read("log/last-backup.json") ? 1 : 0;
      expect(world.record()).toMatchObject({ status: "ok" });
      expect(world.history().slice(0, lines.length)).toEqual(lines);
      expect(leftovers(world)).toEqual([]);
    }
    expect(kept).toBeGreaterThan(0);
    return `exit 0 each time, ${kept} records not renewed, all whole, ${said} losses said`;
  },
);

for (const name of ["LOG_DIR", "LOCK_DIR"] as const) {
  const injected = `${name}, a small tmpfs, fills up while restic works`;
  if (!canMount) {
    test.skip(`${injected}: only root can mount one`, () => {});
    continue;
  }
  fault(
    {
      injected,
      promised: "exit 0, post-hooks run, the old record stands or the new one is whole, one line at most",
    },
    async (world) => {
      prepare(world);
      const folder = name === "LOG_DIR" ? world.log : world.lock;
      const mount = Mount.tmpfs(folder);
      try {
        await world.run("backup");
        const before = world.record();
        const lines = world.history();
        forget(world);
        world.restic(`echo work >>$HOME/happened; cat /dev/zero >'${folder}/filler'; exit 0`);
        const { code, stdout } = await world.run("backup");
        expect({ code, happened: world.read("happened") }).toEqual({
          code: 0,
          happened: "pre\nwork\npost\n",
        });
        const said = (stdout.match(LOST) ?? []).length;
        expect(said).toBe(name === "LOG_DIR" ? 1 : 0);
        if (name === "LOG_DIR") expect(world.record()).toEqual(before);
        expect(world.history().slice(0, lines.length)).toEqual(lines);
        expect(leftovers(world)).toEqual([]);
        await world.exec(["rm", `${folder}/filler`]);
        await world.run("backup");
        return name === "LOG_DIR"
          ? "exit 0, said once, the old record stands"
          : "exit 0, the new record is whole";
      } finally {
        mount[Symbol.dispose]();
      }
    },
  );
}
