/** What a FUSE mount needs from its container, which of it is missing, and how to supply that on each platform. */

import { closeSync, constants, openSync, readFileSync, statSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import { resolveProgram } from "../process/spawn.ts";

/** The facts about the container that decide whether a mount can succeed. */
export interface Surroundings {
  /** The error of opening /dev/fuse; undefined when it can be opened. */
  readonly device: unknown;
  /** Paths of the programs; undefined when PATH has none. */
  readonly fusermount: string | undefined;
  readonly fusermount3: string | undefined;
  /** Does fusermount run as root whoever starts it? */
  readonly setuid: boolean;
  /** Effective user id. */
  readonly uid: number;
  /** The text of /proc/self/status. */
  readonly status: string;
  /** The text of /proc/self/attr/current; empty where the kernel has no such module. */
  readonly label: string;
  /** The text of /etc/fuse.conf; empty when there is none. */
  readonly fuseConf: string;
  readonly allowOther: boolean;
}

/** Something that is missing, and what to write on each platform to supply it. */
export interface Missing {
  /** A sentence. */
  readonly problem: string;
  readonly fixes: readonly (readonly [where: string, words: string])[];
}

/** Number of the capability in Linux' capability.h. */
const CAP_SYS_ADMIN = 21n;

/** Profiles that container runtimes put on every container; each of them denies mount(2). */
const DENYING =
  /^(docker-default|cri-containerd\.apparmor\.d|crio-default|containers-default-.*|snap\.docker.*)$/;

/** Everything that is missing, in the order in which an operator would fix it. Pure. */
export function findMissing(seen: Surroundings): Missing[] {
  return [
    device(seen),
    program(seen),
    capability(seen),
    privileges(seen),
    profile(seen),
    others(seen),
  ].filter((each) => each !== undefined);
}

/** An enforced profile that we do not know: it may deny the mount, or be made for it. Pure. */
export function unknownProfile({ label }: Surroundings): string | undefined {
  const { name, enforced } = profileOf(label);
  return enforced && !DENYING.test(name) ? name : undefined;
}

/** The message as lines: the problem, then one line for each platform. Pure. */
export function formatMissing({ problem, fixes }: Missing): string[] {
  const width = Math.max(...fixes.map(([where]) => where.length));
  return [problem, ...fixes.map(([where, words]) => `    ${`${where}:`.padEnd(width + 1)} ${words}`)];
}

function device({ device }: Surroundings): Missing | undefined {
  if (device === undefined) return undefined;
  const code = errnoOf(device);
  if (code === "EACCES") {
    return {
      problem: "/dev/fuse cannot be opened by this user (EACCES).",
      fixes: [["on the host", "chmod 666 /dev/fuse, or run the container as root"]],
    };
  }
  const problem =
    code === "ENOENT"
      ? "/dev/fuse is missing."
      : code === "EPERM"
        ? "/dev/fuse is there, but the container's device rules forbid opening it (EPERM)."
        : code === "ENODEV" || code === "ENXIO"
          ? `/dev/fuse cannot be opened (${code}): the kernel of the host has no FUSE; load it there with modprobe fuse.`
          : `/dev/fuse cannot be opened (${code ?? String(device)}).`;
  return {
    problem,
    fixes: [
      ["docker", "docker run --device /dev/fuse …"],
      ["compose", 'devices: ["/dev/fuse:/dev/fuse"]'],
      [
        "Kubernetes",
        "securityContext: { privileged: true }, or a device plugin for /dev/fuse (a hostPath volume alone is not enough)",
      ],
    ],
  };
}

/** restic looks for exactly this name (seen with 0.14, 0.18 and 0.19). */
function program({ fusermount, fusermount3 }: Surroundings): Missing | undefined {
  if (fusermount !== undefined) return undefined;
  if (fusermount3 !== undefined) {
    return {
      problem: `fusermount is missing: there is ${fusermount3}, but restic looks for the name fusermount.`,
      fixes: [["in the image", `ln -s ${fusermount3} /usr/local/bin/fusermount`]],
    };
  }
  return {
    problem: "fusermount is missing in PATH.",
    fixes: [
      ["Alpine", "apk add fuse"],
      ["Debian", "apt-get install fuse3"],
      ["docker, compose, Kubernetes", "use an image that has it"],
    ],
  };
}

/** Without it in our own hands, fusermount must be able to get it by being setuid root. */
function capability({ status, uid, setuid }: Surroundings): Missing | undefined {
  if (has(status, "CapEff")) return undefined;
  if (uid !== 0 && has(status, "CapBnd")) {
    return setuid
      ? undefined
      : {
          problem: `User ${uid} lacks the capability CAP_SYS_ADMIN, and fusermount is not setuid root.`,
          fixes: [["in the image", 'chmod u+s "$(command -v fusermount)", or run the container as root']],
        };
  }
  return {
    problem: "The capability CAP_SYS_ADMIN is missing.",
    fixes: [
      ["docker", "docker run --cap-add SYS_ADMIN …"],
      ["compose", "cap_add: [SYS_ADMIN]"],
      ["Kubernetes", 'securityContext: { capabilities: { add: ["SYS_ADMIN"] } }'],
    ],
  };
}

/** no-new-privileges disables setuid programs; with the capability already in effect none is needed. */
function privileges({ status }: Surroundings): Missing | undefined {
  if (has(status, "CapEff") || !has(status, "CapBnd") || !/^NoNewPrivs:\s*1$/m.test(status)) return undefined;
  return {
    problem: "no-new-privileges is set, so that fusermount cannot get the rights to mount.",
    fixes: [
      ["docker", "take out --security-opt no-new-privileges, or run the container as root"],
      ["compose", "take no-new-privileges:true out of security_opt"],
      ["Kubernetes", "securityContext: { allowPrivilegeEscalation: true }"],
    ],
  };
}

function profile({ label }: Surroundings): Missing | undefined {
  const { name, enforced } = profileOf(label);
  if (!enforced || !DENYING.test(name)) return undefined;
  return {
    problem: `The AppArmor profile ${name} denies every mount.`,
    fixes: [
      ["docker", "docker run --security-opt apparmor=unconfined …"],
      ["compose", "security_opt: [apparmor=unconfined]"],
      [
        "Kubernetes",
        "securityContext: { appArmorProfile: { type: Unconfined } } (before 1.30 the annotation " +
          "container.apparmor.security.beta.kubernetes.io/<container>: unconfined)",
      ],
    ],
  };
}

function others({ allowOther, uid, fuseConf }: Surroundings): Missing | undefined {
  if (!allowOther || uid === 0 || /^\s*user_allow_other\s*$/m.test(fuseConf)) return undefined;
  return {
    problem: `--allow-other is not allowed for user ${uid}: /etc/fuse.conf does not say user_allow_other.`,
    fixes: [["in the image", "echo user_allow_other >>/etc/fuse.conf, or run the container as root"]],
  };
}

/** Is CAP_SYS_ADMIN in this set of /proc/self/status? Without such a line nothing is known, and nothing claimed. */
function has(status: string, set: "CapEff" | "CapBnd"): boolean {
  const mask = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1];
  return mask === undefined || ((BigInt(`0x${mask}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** `docker-default (enforce)`; what has no mode in parentheses is "unconfined", or of another module (SELinux). */
function profileOf(label: string): { name: string; enforced: boolean } {
  const [, name = "", mode = ""] = /^(.*) \((\w+)\)\s*\0?$/.exec(label.trim()) ?? [];
  return { name, enforced: mode === "enforce" };
}

export function surroundings(searchPath: string | undefined, allowOther: boolean): Surroundings {
  const fusermount = find("fusermount", searchPath);
  return {
    device: errorOfOpening("/dev/fuse"),
    fusermount,
    fusermount3: find("fusermount3", searchPath),
    setuid: fusermount !== undefined && isSetuidRoot(fusermount),
    uid: process.geteuid?.() ?? 0,
    status: readOrEmpty("/proc/self/status"),
    label: readOrEmpty("/proc/self/attr/current"),
    fuseConf: readOrEmpty("/etc/fuse.conf"),
    allowOther,
  };
}

/** Opening the device is harmless: a FUSE connection begins only with mount(2). */
function errorOfOpening(device: string): unknown {
  try {
    closeSync(openSync(device, constants.O_RDWR));
    return undefined;
  } catch (error) {
    return error;
  }
}

function find(program: string, searchPath: string | undefined): string | undefined {
  try {
    return resolveProgram(program, searchPath);
  } catch {
    // CannotStart: that it is not there is the answer.
    return undefined;
  }
}

function isSetuidRoot(path: string): boolean {
  const { mode, uid } = statSync(path);
  return (mode & 0o4000) !== 0 && uid === 0;
}

/** Empty when it cannot be read: an absent file, or a kernel without the module (EINVAL). */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
