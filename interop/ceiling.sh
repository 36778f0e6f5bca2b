#!/usr/bin/env bash
# Loads bin/ringmq and bench/ceiling, the least that a broker of this architecture can do for a send, in turns, both with a sync for
# every commit. Fails when a message costs ringmq more than LIMIT times the processor time it costs there.
#   interop/ceiling.sh [ROUNDS [SECONDS [LIMIT]]]     5 rounds of 3 s; PORT and the twelve above it are used, 23300 or the next that are free
# The cheapest round of each counts: what else runs on a machine only adds. It was 2.5 on a quiet one; half as much again is a change
# that matters, and a machine whose memory was never used yet asks for some more.
set -uo pipefail
rounds=${1:-5} seconds=${2:-3} limit=${3:-4.5}
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${RINGMQ:-$root/bin/ringmq}
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port=${PORT:-23300}
if [ -z "${PORT:-}" ]; then
  for port in $(seq 23300 20 23700); do
    taken "$port" || taken $((port + 1)) || taken $((port + 9)) || taken $((port + 11)) || taken $((port + 12)) || break
  done
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-ceiling-XXXXXX") || exit 1
pids=()
cleanup() {
  for p in "${pids[@]}"; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

(cd "$root" && go build -o "$work/ceiling" ./bench/ceiling) || exit 1
"$work/ceiling" -listen "127.0.0.1:$port" -file "$work/ceiling.log" -sync >"$work/ceiling.out" 2>&1 &
pids+=($!)
"$bin" standalone --set listenPort=$((port + 11)) --set namesrvListenPort=$((port + 1)) --set storePathRootDir="$work/data" >"$work/ringmq.out" 2>&1 &
pids+=($!)
for at in $port $((port + 11)); do
  for _ in $(seq 200); do
    (exec 3<>"/dev/tcp/127.0.0.1/$at") 2>/dev/null && continue 2
    sleep 0.1
  done
  cat "$work"/*.out >&2; exit 1
done
"$bin" bench versus "ringmq=127.0.0.1:$((port + 11)),pid=${pids[1]}" "ceiling=127.0.0.1:$port,pid=${pids[0]}" --rounds "$rounds" --duration "${seconds}s" \
  --topic Ceiling --max-cpu-ratio "$limit" ${JSON:+--json "$JSON"}
