#!/usr/bin/env bash
# Loads a broker of its own evenly, and fails when a send is refused, memory or the number of goroutines grows or readers fall behind.
#   interop/soak.sh [DURATION [SHARE]]     ten minutes at 0.8 of the peak; PORT=23100, two below and two above it are used, JSON names a file
# Ten minutes write some 100 GiB; the log is bounded by the disk (retention), and all of it is removed again.
set -uo pipefail
duration=${1:-10m} share=${2:-0.8}
bin=${RINGMQ:-$(dirname "$0")/../bin/ringmq}
port=${PORT:-23100}
. "$(dirname "$0")/filled.sh"
fill_memory "$bin"
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-soak-XXXXXX") || exit 1

cleanup() {
  kill "$broker" 2>/dev/null && wait "$broker" 2>/dev/null
  rm -rf "$work"
}
"$bin" standalone --set listenPort="$port" --set namesrvListenPort=$((port - 1)) --set storePathRootDir="$work/data" \
  --set adminHttpAddress=127.0.0.1:$((port + 2)) >"$work/log" 2>&1 &
broker=$!
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
for _ in $(seq 100); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$broker" 2>/dev/null || break
  sleep 0.1
done
kill -0 "$broker" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
"$bin" bench soak -b "127.0.0.1:$port" --pid "$broker" --metrics "http://127.0.0.1:$((port + 2))/metrics" --peak-share "$share" --duration "$duration" ${JSON:+--json "$JSON"}
