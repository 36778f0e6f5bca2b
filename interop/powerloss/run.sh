#!/usr/bin/env bash
# Power cuts under load on ext4 and xfs (loop devices, needs root): run.sh ROUNDS (per engine and file system, half of them with a log
# whose segments are recycled).
# Then two mutants of the binary, one that skips the data sync and one that skips the directory sync: both must lose something,
# or this test could not tell. Ends with "N passed, N failed".
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
rounds=${1:-30}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-power-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cd "$root"
go build -o "$tmp/crash" ./interop/crash || exit 1
passed=0 failed=0
for fs in ext4 xfs; do
  "$tmp/crash" -bin bin/ringmq -power $fs -rounds $((rounds * 2)) -ready 5s | tee "$tmp/out" | grep -v ' passed, '
  passed=$((passed + $(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$tmp/out")))
  failed=$((failed + $(sed -n 's/.* passed, \([0-9]*\) failed/\1/p' "$tmp/out")))
done
for mutant in nodatasync nosyncdir; do
  CGO_ENABLED=0 go build -tags "uring mutant_$mutant" -ldflags=-checklinkname=0 -o "$tmp/ringmq-$mutant" ./cmd/ringmq || exit 1
  caught=no
  # A name is lost only if the cut comes before any other sync writes the journal: one attempt in seven goes without a loss.
  for fs in ext4 xfs ext4 xfs ext4 xfs ext4; do
    if TMPDIR=$tmp "$tmp/crash" -bin "$tmp/ringmq-$mutant" -power $fs -rounds 24 -ready 5s >"$tmp/out" 2>&1; then continue; fi
    grep '^FAIL' "$tmp/out" | grep -vq ' shows nothing' && caught=yes && break
  done
  if [ $caught = yes ]; then
    passed=$((passed + 1)); echo "PASS powerloss/mutant-$mutant is caught: $(grep '^FAIL' "$tmp/out" | grep -vm1 ' shows nothing')"
  else
    failed=$((failed + 1)); echo "FAIL powerloss/mutant-$mutant is not caught"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
