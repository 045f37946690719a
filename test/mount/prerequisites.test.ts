import { expect, test } from "bun:test";
import { findMissing, formatMissing, type Surroundings, unknownProfile } from "../../lib/mount/needs.ts";

const ALL = "000001ffffffffff";
const WITHOUT = "000001ffffdfffff"; // bit 21 is CAP_SYS_ADMIN
const status = (effective: string, bounding: string, noNewPrivileges = 0) =>
  `Name:\tx\nCapInh:\t0000000000000000\nCapPrm:\t${effective}\nCapEff:\t${effective}\nCapBnd:\t${bounding}\n` +
  `CapAmb:\t0000000000000000\nNoNewPrivs:\t${noNewPrivileges}\n`;

/** Everything as it should be, for root. */
const root: Surroundings = {
  device: undefined,
  fusermount: "/usr/bin/fusermount",
  fusermount3: "/usr/bin/fusermount3",
  setuid: true,
  uid: 0,
  status: status(ALL, ALL),
  label: "unconfined\n",
  fuseConf: "",
  allowOther: false,
};
const user: Surroundings = { ...root, uid: 1000, status: status("0000000000000000", ALL) };
const failing = (code: string) => Object.assign(new Error(code), { code });
const problems = (seen: Surroundings) => findMissing(seen).map(({ problem }) => problem);

test.each([
  ["root", root],
  ["root in a container without AppArmor", { ...root, label: "" }],
  ["root with no-new-privileges, who needs no new ones", { ...root, status: status(ALL, ALL, 1) }],
  ["root and --allow-other", { ...root, allowOther: true }],
  ["a user", user],
  ["a user and --allow-other, allowed", { ...user, allowOther: true, fuseConf: "#x\n user_allow_other \n" }],
  ["an SELinux label", { ...root, label: "system_u:system_r:container_t:s0:c1,c2\0" }],
  ["AppArmor that only complains", { ...root, label: "docker-default (complain)\n" }],
  ["no /proc", { ...user, status: "" }],
] as const)("nothing is missing for %s", (_, seen) => {
  expect(problems(seen)).toEqual([]);
});

test.each<[string, Surroundings, string]>([
  ["no device", { ...root, device: failing("ENOENT") }, "/dev/fuse is missing."],
  [
    "a device that the cgroup denies",
    { ...root, device: failing("EPERM") },
    "/dev/fuse is there, but the container's device rules forbid opening it (EPERM).",
  ],
  [
    "a device of another user",
    { ...user, device: failing("EACCES") },
    "/dev/fuse cannot be opened by this user (EACCES).",
  ],
  [
    "a kernel without FUSE",
    { ...root, device: failing("ENODEV") },
    "/dev/fuse cannot be opened (ENODEV): the kernel of the host has no FUSE; load it there with modprobe fuse.",
  ],
  ["a file in its place", { ...root, device: failing("EISDIR") }, "/dev/fuse cannot be opened (EISDIR)."],
  [
    "no fusermount",
    { ...root, fusermount: undefined, fusermount3: undefined },
    "fusermount is missing in PATH.",
  ],
  [
    "only fusermount3",
    { ...root, fusermount: undefined },
    "fusermount is missing: there is /usr/bin/fusermount3, but restic looks for the name fusermount.",
  ],
  [
    "root without the capability",
    { ...root, status: status(WITHOUT, WITHOUT) },
    "The capability CAP_SYS_ADMIN is missing.",
  ],
  [
    "a user whose container lacks it",
    { ...user, status: status("0000000000000000", WITHOUT, 1) },
    "The capability CAP_SYS_ADMIN is missing.",
  ],
  [
    "fusermount without setuid",
    { ...user, setuid: false },
    "User 1000 lacks the capability CAP_SYS_ADMIN, and fusermount is not setuid root.",
  ],
  [
    "no-new-privileges for a user",
    { ...user, status: status("0000000000000000", ALL, 1) },
    "no-new-privileges is set, so that fusermount cannot get the rights to mount.",
  ],
  [
    "docker's profile",
    { ...root, label: "docker-default (enforce)\n" },
    "The AppArmor profile docker-default denies every mount.",
  ],
  [
    "containerd's profile",
    { ...root, label: "cri-containerd.apparmor.d (enforce)\n" },
    "The AppArmor profile cri-containerd.apparmor.d denies every mount.",
  ],
  [
    "--allow-other for a user",
    { ...user, allowOther: true, fuseConf: "#user_allow_other\n" },
    "--allow-other is not allowed for user 1000: /etc/fuse.conf does not say user_allow_other.",
  ],
])("%s is named", (_, seen, problem) => {
  expect(problems(seen)).toEqual([problem]);
});

test("what a container can be given is fixed for docker, compose and Kubernetes", () => {
  const bare: Surroundings = {
    ...root,
    device: failing("ENOENT"),
    status: status(WITHOUT, WITHOUT),
    label: "docker-default (enforce)\n",
  };
  expect(findMissing(bare).map(formatMissing)).toEqual([
    [
      "/dev/fuse is missing.",
      "    docker:     docker run --device /dev/fuse …",
      '    compose:    devices: ["/dev/fuse:/dev/fuse"]',
      "    Kubernetes: securityContext: { privileged: true }, or a device plugin for /dev/fuse (a hostPath volume alone is not enough)",
    ],
    [
      "The capability CAP_SYS_ADMIN is missing.",
      "    docker:     docker run --cap-add SYS_ADMIN …",
      "    compose:    cap_add: [SYS_ADMIN]",
      '    Kubernetes: securityContext: { capabilities: { add: ["SYS_ADMIN"] } }',
    ],
    [
      "The AppArmor profile docker-default denies every mount.",
      "    docker:     docker run --security-opt apparmor=unconfined …",
      "    compose:    security_opt: [apparmor=unconfined]",
      "    Kubernetes: securityContext: { appArmorProfile: { type: Unconfined } } (before 1.30 the annotation container.apparmor.security.beta.kubernetes.io/<container>: unconfined)",
    ],
  ]);
});

test("a profile that nobody knows is a caution, not a verdict", () => {
  expect(unknownProfile({ ...root, label: "backup-tools (enforce)\n" })).toBe("backup-tools");
  expect(unknownProfile({ ...root, label: "docker-default (enforce)\n" })).toBeUndefined();
  expect(unknownProfile(root)).toBeUndefined();
});
