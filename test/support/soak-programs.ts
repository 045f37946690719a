/** What the hooks and the restic of a soak do, and how an undisturbed tick of it ends. */

import type { Natural } from "./soak-book.ts";

/** Checks that no process of ours passes on a descriptor that the program should not have. */
const LEAKS = (from: number) =>
  `for fd in ${[3, 4, 5, 6, 7, 8, 9].filter((fd) => fd >= from).join(" ")}; do
  [ ! -e /proc/$$/fd/$fd ] || echo "leak $fd" >>"$SOAK_NOTES"
done`;

/** One hook for every phase, controlled by the environment of its tick. */
export const HOOK = `echo "$RBH_HOOK $*" >>"$SOAK_NOTES"
${LEAKS(3)}
case $RBH_HOOK in pre-*) does=$SOAK_PRE ;; *) does=$SOAK_POST ;; esac
case $does in
  fail) exit 7 ;;
  crash) kill -SEGV $$ ;;
  noise) for n in 1 2 3 4 5 6 7 8 9; do printf '%0500d\\n' $n; done ;;
  daemon) sleep 0.3 & echo "daemon $!" >>"$SOAK_NOTES" ;;
  quiet-daemon) sleep 0.6 >/dev/null 2>&1 & echo "daemon $!" >>"$SOAK_NOTES" ;;
  hang) exec sleep 60 ;;
esac`;

/** Its descriptor 3 is the lock, on purpose. */
export const RESTIC = `echo "restic $$" >>"$SOAK_NOTES"
${LEAKS(4)}
case $SOAK_RESTIC in
  segv) kill -SEGV $$ ;;
  slow) sleep 0.03 ;;
  noise) for n in 1 2 3 4 5 6 7 8 9; do echo "line $n of no meaning"; done ;;
  hang) exec sleep 60 ;;
  gate) while [ ! -e "$SOAK_NOTES.open" ]; do sleep 0.01; done ;;
  *) exit $SOAK_RESTIC ;;
esac`;

const times = (count: number, what: string): string[] => Array.from({ length: count }, () => what);
export const EXITS = [...times(14, "0"), "noise", "slow", "slow", "1", "3", "10", "11", "12", "130", "segv"];
export const DOES = [
  ...times(16, "ok"),
  "fail",
  "fail",
  "fail",
  "crash",
  "noise",
  "noise",
  "daemon",
  "quiet-daemon",
];

/** What restic does becomes the exit code and the status of the run. */
export function naturalOf(worker: string, restic: string): Natural {
  if (restic === "hang") return { code: 124, status: "timed_out" };
  const code = restic === "segv" ? 139 : Number(restic) || 0;
  const isWarning = (worker === "backup" && code === 3) || (worker === "forget" && code === 11);
  return { code, status: code === 0 ? "ok" : isWarning ? "warning" : "failed" };
}
