#!/usr/bin/env bash
# Measures what a pair must reach, beside stock and beside our single broker, in one run on this machine, and prints a Markdown table.
#   interop/replication/bars.sh [ROUNDS [SECONDS [GIB]]]     3 rounds of 10 s and 8 GiB unless told otherwise
# PARTS="throughput cpu catchup deaf" chooses, PORT is the first of 150 ports, RATE the sends a second beside a slave that catches up or a deaf peer,
# TMPDIR where the stores lie (twice GIB and a little more). Ends with 1 when a bar is missed.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-bars-XXXXXX")
trap 'rm -rf "$work"' EXIT
interop/stock/rmq install
go build -o "$work/replication" ./interop/replication
# The same binary, but for one constant: no piece of the log is large enough to go from the file to the socket by itself.
sed 's/^const sendFrom = .*/const sendFrom = 1 << 40/' replica/sender.go >"$work/sender.go"
cmp -s replica/sender.go "$work/sender.go" && { echo "bars: replica/sender.go has no sendFrom to change" >&2; exit 1; }
printf '{"Replace":{"%s":"%s"}}' "$root/replica/sender.go" "$work/sender.go" >"$work/overlay.json"
CGO_ENABLED=0 go build -overlay "$work/overlay.json" -trimpath -tags uring -ldflags=-checklinkname=0 -o "$work/copier" ./cmd/ringmq
"$work/replication" -bars "${PARTS:-throughput cpu catchup deaf}" -copier "$work/copier" -rounds "${1:-3}" -seconds "${2:-10}" -gib "${3:-8}" \
  -rate "${RATE:-10000}" -port "${PORT:-24400}"
