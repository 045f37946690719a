// Faults of the machine that a run meets: no flock, no /proc, too few descriptors, too little memory.
import { expect } from "bun:test";
import { fault } from "./fault.ts";

fault(
  { injected: "HOSTNAME is empty", promised: "the run names the machine by itself and is right" },
  async (world) => {
    const { code, stderr } = await world.run("backup", [], { env: { HOSTNAME: "" } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { hostname } = world.record();
    expect(hostname).toMatch(/./);
    return `exit 0, hostname ${hostname}`;
  },
);
