#!/usr/bin/env bash
# Builds the image of deploy/Dockerfile with podman, which needs no registry for it, and runs it: what is in it, which ports it opens and for
# whom, its health check, its stop, and what a volume keeps for the next container. All of it in namespaces of their own, with a network that has
# this script and the container in it, and nothing stays. Needs root, podman, crun and iproute2: elsewhere it is skipped, or failed with MUST=1.
# Ends with "image: N passed, N failed, N skipped".
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
. "$root/interop/must.sh"
if [ "${1:-}" != --inside ]; then
  missing=()
  for need in podman crun unshare nsenter ip ss; do
    command -v "$need" >/dev/null || missing+=("$need is not here")
  done
  [ "$(id -u)" = 0 ] || missing+=("it needs root")
  [ ${#missing[@]} -eq 0 ] || { unshown image/all "$(printf '%s, ' "${missing[@]}" | sed 's/, $//')"; summary image; exit; }
  [ -x "$root/bin/ringmq" ] || { echo "image: no bin/ringmq; make build makes it" >&2; exit 1; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  unshare --mount --net --pid --fork --mount-proc --kill-child "$0" --inside "$work"
  exit
fi

work=$2
bin=$root/bin/ringmq
mount --make-rprivate /
mount -t tmpfs -o size=3g none "$work" # images, containers, volumes
mount -t tmpfs none /run               # what podman notes elsewhere
# A host with both kinds of control groups is more than crun takes; the container is not to be limited, and needs none.
umount /sys/fs/cgroup/unified 2>/dev/null
files=$(($(ulimit -Hn) < 65536 ? $(ulimit -Hn) : 65536))
pod() { podman --root "$work/root" --runroot "$work/run" --storage-driver vfs --cgroup-manager cgroupfs --events-backend file --runtime crun "$@"; }

# The container's network, made by hand: 10.77.0.2 is the container, 10.77.0.1 whoever comes from outside.
unshare --net sleep infinity &
net=$!
for _ in $(seq 100); do [ "$(readlink "/proc/$net/ns/net")" != "$(readlink /proc/self/ns/net)" ] && break; sleep 0.02; done
ip link set lo up
ip link add outside type veth peer name inside netns "$net" || { unshown image/all "this kernel makes no pair of network devices"; summary image; exit; }
ip addr add 10.77.0.1/24 dev outside && ip link set outside up
nsenter -t "$net" --net sh -c 'ip link set lo up && ip addr add 10.77.0.2/24 dev inside && ip link set inside up'
ns=10.77.0.2:9876

suite=image
image() { pod image inspect ringmq --format "{{json .Config.$1}}"; }
run() { # run NAME FLAGS...: as the file's head says, without any privilege, and with nothing to write to but the volume
  local name=$1
  shift
  pod run -d --name "$name" --hostname ringmq --cgroups=disabled --network "ns:/proc/$net/ns/net" --ulimit "nofile=$files:$files" --ulimit nproc=4096:4096 \
    --health-interval=disable --cap-drop=all --security-opt no-new-privileges --read-only --read-only-tmpfs=false -e RINGMQ_brokerIP1=10.77.0.2 -e RINGMQ_mappedFileSizeCommitLog=67108864 "$@" || return
  local i
  for i in $(seq 200); do
    pod logs "$name" 2>&1 | grep -q 'is ready after' && return
    [ "$(pod inspect "$name" --format '{{.State.Running}}')" = true ] || break
    sleep 0.1
  done
  pod logs "$name"
  return 1
}
alone() { # nothing is in the image but the program
  local mounted
  mounted=$(pod image mount ringmq) && ls -A "$mounted" && [ "$(ls -A "$mounted")" = ringmq ] && cmp "$mounted/ringmq" "$bin" && [ "$(stat -c %a "$mounted/ringmq")" = 755 ]
}
ports() { # what listens for others is what the file exposes, and nothing else
  image ExposedPorts | grep -o '[0-9]*/tcp' | cut -d/ -f1 | sort -n >"$work/exposed"
  nsenter -t "$net" --net ss -Hltn | awk '{print $4}' | grep -v '^127\.\|^\[::1\]' | sed 's/.*://' | sort -nu >"$work/open"
  diff "$work/exposed" "$work/open"
}
volume() { [ "$(image Volumes)" = '{"/data":{}}' ] && [ -e "$work/data/commitlog/00000000000000000000" ] && pod exec one /ringmq admin getBrokerConfig -b 127.0.0.1:10911 | grep -E '^storePathRootDir +=? *\/data$'; }
unhealthy() { # one that does not answer is found out in the time that the file gives it
  local pid status
  pid=$(pod inspect one --format '{{.State.Pid}}')
  kill -STOP "$pid"
  timeout 10 podman --root "$work/root" --runroot "$work/run" --storage-driver vfs --cgroup-manager cgroupfs --events-backend file --runtime crun healthcheck run one
  status=$?
  kill -CONT "$pid"
  [ $status = 1 ]
}
stops() { # stops NAME: by the image's signal, in order
  [ "$(image StopSignal)" = '"SIGTERM"' ] && pod stop -t 20 "$1" && pod logs "$1" 2>&1 | grep 'stopped in order' && [ "$(pod inspect "$1" --format '{{.State.ExitCode}}')" = 0 ]
}
outside() { "$bin" bench verify -n "$ns" --existing --topic Outside --duration 2s --rate 1000 --ledger "$work/ledger"; }
kept() { "$bin" bench verify -n "$ns" --existing --topic Outside --ledger "$work/ledger" --check; }
refused() { ! "$bin" admin updateTopic -n "$ns" -b 10.77.0.2:10911 -t FromOutside && grep -q adminAllowedCidrs "$work/said"; }
named() { "$bin" admin clusterList -n "$ns" >"$work/list" 2>&1; pod exec "$1" /ringmq admin clusterList -n 127.0.0.1:9876 | grep -w ringmq | grep -w 10.77.0.2:10911; }
unasked() { pod healthcheck run two && pod exec two /ringmq health --live | grep -i adminHttpAddress; }

check "it is built" pod build --format docker -f "$here/Dockerfile" -t ringmq "$root"
check "nothing is in it but the program" alone
mkdir "$work/data"
check "it runs, and is ready" run one -v "$work/data:/data" -e RINGMQ_adminHttpAddress=127.0.0.1:10920 ringmq
check "it opens the ports that it exposes" ports
check "its data is in the volume" volume
check "clients are told its address" named one
check "it may be administered from within" pod exec one /ringmq admin updateTopic -n 127.0.0.1:9876 -c DefaultCluster -t Outside -r 8 -w 8
check "and not from outside" refused
check "messages go in and out from outside" outside
check "it is healthy" pod healthcheck run one
check "one that does not answer is unhealthy" unhealthy
check "it stops in order" stops one
pod rm one >"$work/said" 2>&1
chown -R 10001:10001 "$work/data"
check "another container, and another user, go on with the volume" run two --user 10001:10001 -v "$work/data:/data" ringmq
check "the messages are there" kept
check "without an address its health is not asked for" unasked
check "it stops in order, too" stops two
kill "$net"
summary image
