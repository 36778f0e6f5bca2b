#!/usr/bin/env bash
# Installs the package on a copy of this system (an overlay of its root, which is thrown away), starts what the units start, as the user
# they name, sends and reads messages, upgrades, removes and purges. Needs root, dpkg-deb, and a Debian system: elsewhere it is skipped, or
# failed with MUST=1. Ends with "package: N passed, M failed, K skipped".
#   deploy/test.sh [PACKAGE]       a package is made of bin/ringmq if none is given
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../interop/must.sh"
if [ "${1:-}" != --inside ]; then
  missing=()
  for need in dpkg-deb unshare adduser systemd-analyze python3 ip; do
    command -v "$need" >/dev/null || missing+=("$need is not here")
  done
  [ "$(id -u)" = 0 ] || missing+=("it needs root")
  [ ${#missing[@]} -eq 0 ] || { unshown package/all "$(printf '%s, ' "${missing[@]}" | sed 's/, $//')"; summary package; exit; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  package=${1:-$("$here/package.sh" "$work")}
  cp "$package" "$work/package.deb" 2>/dev/null || [ "$package" -ef "$work/package.deb" ]
  unshare --mount --net --pid --fork "$0" --inside "$work"
  exit
fi

work=$2
suite=package
mount --make-rprivate /
mkdir "$work/space" && mount -t tmpfs -o size=4g none "$work/space" && mkdir "$work/space/up" "$work/space/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/space/up,workdir=$work/space/work" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys" && mount --rbind /dev "$root/dev"
mkdir -p "$root/tmp/here" && cp "$work/package.deb" "$root/tmp/here/"
ip link set lo up
in_root() { chroot "$root" "$@"; }
field() { sed -n "s/^$2=//p" "$root/lib/systemd/system/$1.service"; }

check installs in_root dpkg -i /tmp/here/package.deb
check "has a user" in_root getent passwd ringmq
check "has manual pages" test -s "$root/usr/share/man/man1/ringmq-broker.1.gz"
check "completes commands" in_root bash -c '. /usr/share/bash-completion/completions/ringmq && complete -p ringmq'
for unit in ringmq-namesrv ringmq; do
  check "unit $unit is right" in_root systemd-analyze verify --man=no "/lib/systemd/system/$unit.service"
  check "unit $unit is hardened" bash -c "chroot '$root' systemd-analyze security --offline=true --threshold=20 /lib/systemd/system/$unit.service"
done

# start UNIT: what the service manager would do, with its user, its limits, and its socket for READY=1.
declare -A pids
start() {
  local unit=$1 socket=/var/lib/ringmq/$1.notify
  rm -f "$root$socket"
  install -d -m 0750 "$root/var/lib/ringmq" && in_root chown ringmq:ringmq /var/lib/ringmq
  python3 - "$root$socket" >"$work/$unit.ready" <<'P' &
import socket, sys, os
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])
s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777); s.settimeout(30)
print(s.recv(100).decode(), flush=True)
P
  local listener=$!
  for _ in $(seq 100); do [ -S "$root$socket" ] && break; sleep 0.05; done
  # A service manager raises what this process may not: then it is as much as there is.
  (ulimit -n "$(field "$unit" LimitNOFILE)" 2>/dev/null || ulimit -n "$(ulimit -Hn)"
    locked=$(field "$unit" LimitMEMLOCK)
    [ -z "$locked" ] || ulimit -l $((${locked%M} * 1024)) 2>/dev/null || ulimit -l "$(ulimit -Hl)"
    exec chroot --userspec=ringmq:ringmq "$root" env -i NOTIFY_SOCKET="$socket" HOME=/var/lib/ringmq PATH=/usr/bin:/bin $(field "$unit" ExecStart)) >"$work/$unit.out" 2>&1 &
  pids[$unit]=$!
  wait "$listener" || true
}
ready() { grep -qx READY=1 "$work/$1.ready" || { cat "$work/$1.out"; return 1; }; }
stop() { kill "${pids[$1]}" && wait "${pids[$1]}" && grep -q 'stopped in order' "$work/$1.out"; }
for unit in ringmq-namesrv ringmq; do
  start $unit
  check "$unit says that it is ready" ready $unit
done
check "a message goes through it" in_root ringmq doctor -n 127.0.0.1:9876
check "it is written where the unit says" bash -c "ls '$root'/var/lib/ringmq/store/commitlog/00000000000000000000"
check "the broker stops in order" stop ringmq
echo "# looked at" >>"$root/etc/ringmq/broker.conf"
check "it is installed again" in_root dpkg -i --force-confold /tmp/here/package.deb
check "the configuration stays" grep -q '# looked at' "$root/etc/ringmq/broker.conf"
start ringmq
check "it starts again" ready ringmq
check "it stops again" stop ringmq
check "the name server stops in order" stop ringmq-namesrv
check "it is removed" in_root dpkg -r ringmq
check "the configuration stays then, too" test -f "$root/etc/ringmq/broker.conf"
touch "$root/etc/ringmq/broker.conf.bak" "$root/etc/ringmq/broker.conf.orig" # as a request leaves them
check "it is purged" in_root dpkg -P ringmq
check "the configuration goes, and what was kept beside it" bash -c "! [ -e '$root/etc/ringmq' ]"
check "messages stay in any case" bash -c "! [ -e '$root/etc/ringmq/broker.conf' ] && [ -e '$root/var/lib/ringmq/store/commitlog/00000000000000000000' ]"
summary package
