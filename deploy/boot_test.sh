#!/usr/bin/env bash
# Boots a copy of this system (an overlay of its root, which is thrown away) with systemd as its first process, installs the package there as its
# last line says, and does to the units what operators do: enable, kill, change a key by a request, upgrade, stop, boot again, remove. What
# deploy/test.sh shows without a service manager is not shown again. Needs root, dpkg-deb and a Debian system with systemd: elsewhere it is
# skipped, or failed with MUST=1. Ends with "boot: N passed, M failed, K skipped".
#   deploy/boot_test.sh [PACKAGE]       a package is made of bin/ringmq if none is given; the older one is made of it in any case
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../interop/must.sh"
. "$here/copy.sh"
if [ "${1:-}" != --inside ]; then
  missing=$(lacking dpkg-deb unshare nsenter pivot_root adduser systemctl journalctl ip)
  [ -x /lib/systemd/systemd ] || missing+=${missing:+$'\n'}"systemd is not here"
  [ -z "$missing" ] || { unshown boot/all "${missing//$'\n'/, }"; summary boot; exit; }
  work=$(mktemp -d)
  cleanup() {
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
    umount "$work/cgroup" 2>/dev/null
    rm -rf --one-file-system "$work"
  }
  group=$work/cgroup/ringmq-boot-$$
  trap cleanup EXIT
  packages "${1:-}"
  mkdir "$work/cgroup" && mount -t cgroup2 none "$work/cgroup" && mkdir "$group"
  unshare --mount --net --pid --mount-proc --uts --ipc --fork --kill-child "$0" --inside "$work" "$group"
  exit
fi

work=$2 group=$3
suite=boot
copied
# Only what the package brings is wanted at a boot; /tmp is emptied by one, and this test lies there.
find "$root"/etc/systemd/system -path '*.wants/*' -delete
ln -sf /dev/null "$root/etc/systemd/system/systemd-timesyncd.service"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id" # an empty one has systemd enable what there is
mkdir -p "$root/old"
hostname ringmq-boot

# What becomes of the shell that boot starts: the first process of a system of its own that sees this kernel's settings and cannot write them.
cat >"$work/first" <<'F'
set -e
root=$1
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys" && mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro none "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 none "$root/dev" && mkdir "$root/dev/pts" "$root/dev/shm"
for node in null zero full random urandom tty; do
  : >"$root/dev/$node" && mount --bind "/dev/$node" "$root/dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=0666 none "$root/dev/pts" && ln -s pts/ptmx "$root/dev/ptmx"
for folder in run tmp; do mount -t tmpfs -o mode=1777 none "$root/$folder"; done
chmod 755 "$root/run"
cd "$root"
pivot_root . old
umount -l /old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target
F
boot() {
  (echo 0 >"$group/cgroup.procs"
    exec unshare --mount --pid --cgroup --fork --kill-child bash "$work/first" "$root") >"$work/booting" 2>&1 &
  outer=$! first=
  for _ in $(seq 100); do
    first=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null) && first=${first// /} && [ -n "$first" ] && [ "$(cat "/proc/$first/comm")" = systemd ] && break
    sleep 0.1
  done
  [ -n "$first" ]
}
within() { # within COMMAND...: in half a minute
  for _ in $(seq 300); do
    "$@" && return 0
    sleep 0.1
  done
  return 1
}
over() { ! kill -0 "$outer" 2>/dev/null; }
off() { # off: everything is stopped as it is when a machine is shut down; the machine that this runs on is not
  enter systemctl poweroff || true
  within over || { kill -9 "$outer"; return 1; }
}
enter() { nsenter --target "$first" --mount --pid --cgroup --root --wd=/ "$@"; }
runs() { case $(enter systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) return 1 ;; esac; }
up() { within runs || { cat "$work/booting"; enter systemctl list-jobs; return 1; }; }
main_pid() { enter systemctl show -P MainPID "$1"; }
active() { enter systemctl is-active "$@"; }
inactive() { ! active ringmq ringmq-namesrv; }
gone() { ! enter pgrep -x ringmq; }
told() { enter journalctl -q --no-pager -o cat "${@/#/--unit=}"; } # told UNIT...: what the journal has of them
soon() { within "$@" || { enter systemctl status --no-pager ringmq ringmq-namesrv; return 1; }; }
again() { local now; now=$(main_pid ringmq) && [ "$now" != 0 ] && [ "$now" != "$1" ] && active ringmq; } # again PID: it runs, and is another process
inside=enter broker=127.0.0.1:10911
# A service manager without CAP_SYS_RESOURCE raises nothing beyond what this process has.
mighty() { (((0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status) >> 24) & 1)); }
least() { # least A B: of two numbers, of which the second may be "unlimited"
  [ "$2" = unlimited ] || [ "$1" -le "$2" ] && echo "$1" || echo "$2"
}
limit() { # limit NAME UNIT-SAYS THIS-PROCESS-HAS
  local want=$2
  mighty || want=$(least "$2" "$3")
  enter cat "/proc/$(main_pid ringmq)/limits" | grep -E "^$1 +$want +$want "
}
lowered() { enter cat "/proc/$(main_pid ringmq)/oom_score_adj" | grep -x -- -500; }
nobody() { [ "$(enter stat -c %U "/proc/$(main_pid "$1")")" = ringmq ]; }
unrefused() { told ringmq | grep '^disk engine' >"$work/engine" && grep -i io_uring "$work/engine" && ! grep -iE 'refus|cannot|not permitted|ENOSYS' "$work/engine"; }
changed() { enter ringmq admin updateBrokerConfig -b "$broker" -k fileReservedTime -v 71 && enter grep -x 'fileReservedTime *= *71' /etc/ringmq/broker.conf; }
result() { [ "$(enter systemctl show -P Result "$1")" = success ] && told "$1" | tail -5 | grep "stopped in order"; }
started() { enter systemctl enable --now ringmq-namesrv ringmq || { told ringmq ringmq-namesrv | tail -5; return 1; }; }
killed() {
  local before
  before=$(main_pid ringmq)
  [ "$before" != 0 ] && enter kill -9 "$before" && soon again "$before" && [ "$(enter systemctl show -P NRestarts ringmq)" = 1 ]
}
upgraded() {
  local before
  before=$(main_pid ringmq)
  enter dpkg -i --force-confold /opt/here/package.deb && soon again "$before"
}
refused() { # a broker that is set up wrongly is not taken for one that starts: what is wrong stands in the journal
  enter cp -p /etc/ringmq/broker.conf /etc/ringmq/broker.conf.right
  enter sh -c 'echo flushDiskType=SOMETIMES >>/etc/ringmq/broker.conf'
  ! enter systemctl start ringmq && told ringmq | grep 'flushDiskType.*SOMETIMES'
}

if ! { boot && up; } >"$work/said" 2>&1; then
  unshown boot/all "a service manager does not come up here: $(tail -3 "$work/said" "$work/booting" | tr '\n' ' ')"
  summary boot
  exit
fi
pass "boot/a service manager comes up"
check "the package is installed beside it" enter dpkg -i /opt/here/older.deb
check "which starts nothing" inactive
check "both are enabled and started as it says" started
check "both are active" active ringmq-namesrv ringmq
check "a message goes through them" soon enter ringmq doctor -n "$ns"
check "a message is sent" sends
check "the broker is no root" nobody ringmq
check "the name server is no root" nobody ringmq-namesrv
check "it may open as many files as its unit says" limit 'Max open files' 1048576 "$(ulimit -Hn)"
check "it may lock as much memory as its unit says" limit 'Max locked memory' 67108864 "$(ulimit -Hl | awk '$1 ~ /^[0-9]+$/ {$1 *= 1024} 1')"
if mighty; then
  check "others go first when memory runs out" lowered
else
  MUST=0 unshown "boot/others go first when memory runs out" "this process may not say so"
fi
if [ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" = 0 ]; then
  check "its sandbox leaves it io_uring" unrefused
else
  unshown boot/io_uring "this kernel lets nobody have it"
fi
check "a request changes its configuration" changed
check "it is started again when it is killed" killed
check "with the message" soon reads
check "it is upgraded while it runs" upgraded
check "the message is read after the upgrade" soon reads
check "the name server is started anew and the broker finds it" enter systemctl restart ringmq-namesrv
check "the message is read by a route that was registered anew" soon reads
check "it stops" enter systemctl stop ringmq
check "it stopped in order" result ringmq
check "it does not start with a value that it does not know, and says so" refused
enter cp -p /etc/ringmq/broker.conf.right /etc/ringmq/broker.conf && enter systemctl reset-failed ringmq
check "it starts" enter systemctl start ringmq
check "the system is shut down" off
boot && check "the system boots again" up
check "both are active after that" soon active ringmq-namesrv ringmq
check "the message is read after that" soon reads
check "the package is removed" enter dpkg -r ringmq
check "nothing of it runs" gone
check "the system is shut down once more" off
summary boot
