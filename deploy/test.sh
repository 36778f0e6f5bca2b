#!/usr/bin/env bash
# Installs the package on a copy of this system (an overlay of its root, which is thrown away), starts what the units start, as the user
# they name, sends and reads messages, removes and purges. A package with an older version comes first, is upgraded, and comes back: messages and
# what an operator has changed must stay. Needs root, dpkg-deb, and a Debian system: elsewhere it is skipped, or failed with MUST=1. Ends with
# "package: N passed, M failed, K skipped".
#   deploy/test.sh [PACKAGE]       a package is made of bin/ringmq if none is given; the older one is made of it in any case
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../interop/must.sh"
. "$here/copy.sh"
if [ "${1:-}" != --inside ]; then
  missing=$(lacking dpkg-deb unshare adduser systemd-analyze python3 ip)
  [ -z "$missing" ] || { unshown package/all "${missing//$'\n'/, }"; summary package; exit; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  packages "${1:-}"
  unshare --mount --net --pid --fork "$0" --inside "$work"
  exit
fi

work=$2
suite=package
copied
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys" && mount --rbind /dev "$root/dev"
field() { sed -n "s/^$2=//p" "$root/lib/systemd/system/$1.service"; }

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
starts() { # starts [WHEN]: both
  local unit
  for unit in ringmq-namesrv ringmq; do
    start $unit
    check "$unit says that it is ready${1:+, $1}" ready $unit
  done
}
stops() {
  check "the broker stops in order${1:+, $1}" stop ringmq
  check "the name server stops in order${1:+, $1}" stop ringmq-namesrv
}
inside=in_root
version() { dpkg-deb -f "$work/$1.deb" Version; }
newer() { dpkg --compare-versions "$(version older)" lt "$(version package)"; }
installed() { in_root dpkg-query -W -f '${Status} ${Version}\n' ringmq | grep -Fx "install ok installed $(version "$1")"; }
packed() { dpkg-deb --fsys-tarfile "$work/$1.deb" | tar -xO ./etc/ringmq/broker.conf; }
beside() { packed "$1" | cmp - "$root/etc/ringmq/broker.conf.dpkg-dist"; }
# An operator who changed what a release changes too is asked by dpkg, and keeps what is there; nobody can be asked here.
change() { in_root dpkg -i --force-confold "/opt/here/$1.deb"; }

check "an older version installs" in_root dpkg -i /opt/here/older.deb
check "has a user" in_root getent passwd ringmq
starts
check "a message goes through it" in_root ringmq doctor -n "$ns"
check "it is written where the unit says" bash -c "ls '$root'/var/lib/ringmq/store/commitlog/00000000000000000000"
check "a message is sent" sends
stops
echo "# looked at" >>"$root/etc/ringmq/broker.conf"

check "dpkg takes the package for newer" newer
check "it is upgraded" change package
check "the newer one is installed" installed package
check "the operator's line stays" grep -x '# looked at' "$root/etc/ringmq/broker.conf"
check "the configuration of the newer one lies beside it" beside package
check "has manual pages" test -s "$root/usr/share/man/man1/ringmq-broker.1.gz"
check "completes commands" in_root bash -c '. /usr/share/bash-completion/completions/ringmq && complete -p ringmq'
for unit in ringmq-namesrv ringmq; do
  check "unit $unit is right" in_root systemd-analyze verify --man=no "/lib/systemd/system/$unit.service"
  check "unit $unit is hardened" bash -c "chroot '$root' systemd-analyze security --offline=true --threshold=20 /lib/systemd/system/$unit.service"
done
starts "upgraded"
check "the message is read after the upgrade" reads
stops "upgraded"

check "it is taken back" change older
check "the older one is installed" installed older
check "the operator's line stays then, too" grep -x '# looked at' "$root/etc/ringmq/broker.conf"
starts "taken back"
check "the message is read by the older one" reads
stops "taken back"

check "it is removed" in_root dpkg -r ringmq
check "the configuration stays when it is removed" test -f "$root/etc/ringmq/broker.conf"
touch "$root/etc/ringmq/broker.conf.bak" "$root/etc/ringmq/broker.conf.orig" # as a request leaves them
check "it is purged" in_root dpkg -P ringmq
check "the configuration goes, and what was kept beside it" bash -c "! [ -e '$root/etc/ringmq' ]"
check "messages stay in any case" bash -c "! [ -e '$root/etc/ringmq/broker.conf' ] && [ -e '$root/var/lib/ringmq/store/commitlog/00000000000000000000' ]"

check "it is installed anew" in_root dpkg -i /opt/here/package.deb
starts "installed anew"
check "the message that was left is read" reads
stops "installed anew"
summary package
