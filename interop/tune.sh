#!/usr/bin/env bash
# Tunes this host for real and takes it back: every value that "ringmq tune" reads is noted, some are set as bad guides say, three figures that
# its advice claims to change are measured, "tune --apply", measured again, "tune --undo", and every value compared byte for byte. Then what
# --persist writes is read by the programs that read it at a start (sysctl, systemd, udev, PAM), somebody without rights asks for it, and
# probe-disk meets a device that stalls. Needs root; less than a minute. DIR=/var/tmp is a folder on the disk that is tuned.
# However it ends the host is left as it was. What this host does not allow is said and skipped, or a failure with MUST=1.
# Ends with "tune: N passed, M failed, K skipped".
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${RINGMQ:-$root/bin/ringmq}
. "$root/interop/must.sh"
. "$root/interop/tune_host.sh"
if [ "${1:-}" = --kept ]; then
  work=$2
  . "$root/interop/tune_kept.sh"
  kept
  exit
fi
[ "$(id -u)" = 0 ] || { unshown tune "only root may set what it advises"; summary tune; exit; }
work=$(mktemp -d "${DIR:-/var/tmp}/ringmq-tune-XXXXXX") || exit 1
server='' aside=''
finish() {
  [ -z "$server" ] || { kill -9 "$server"; wait "$server"; } 2>/dev/null
  [ -z "$aside" ] || { kill "$aside"; fsfreeze -u "$work/stalled"; kill "$(cat "$work/stalled.pid")"; wait "$aside"; umount -l "$work/stalled"; } 2>/dev/null
  put_back
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
(cd "$root" && go build -o "$work/tune" ./interop/tune) || { echo "tune: the program does not build" >&2; exit 1; }
mkdir "$work/store"

try() { # try WHAT COMMAND...: PASS with the last line that it prints, or FAIL; not shown if its exit code is 3
  local what=$1 said; shift
  said=$("$@" 2>&1)
  case $? in
    0) pass "$what: ${said##*$'\n'}" ;;
    3) unshown "$what" "${said##*$'\n'}"; return 3 ;;
    *) fail "$what: $(tail -n 8 <<<"$said")"; return 1 ;;
  esac
}
look() { "$work/tune" look "$work/store" "$work/look.$1"; }
apply() { # exit code 2: something is left to be done by hand
  "$bin" tune --store "$work/store" --undo-file "$work/undo.json" --profile production --apply -o json >"$work/applied.json" 2>"$work/applied.err"
  case $? in 0 | 2) "$work/tune" applied "$work/applied.json" ;; *) cat "$work/applied.err"; return 1 ;; esac
}
undo() {
  "$bin" tune --undo --undo-file "$work/undo.json" && ! [ -e "$work/undo.json" ] && echo "everything was put back"
}

# Three figures, each with a value that bad guides set, and with what the advice about it promises.
figures() { # figures WHEN: cold, burst and dirty into $work/WHEN.*
  [ -z "$cold" ] || "$work/tune" cold "$work/cold" >"$work/$1.cold"
  [ -z "$dirty" ] || "$work/tune" dirty "$work/dirty" >"$work/$1.dirty"
  [ -n "$burst" ] || return 0
  # A name server that is stopped accepts nobody: who gets through waits in the place that the kernel keeps.
  "$bin" namesrv --set bindAddress=127.0.0.1 --set listenPort=0 --set kvConfigPath="$work/kv.json" >"$work/namesrv" 2>&1 &
  server=$!
  local i port=
  for i in $(seq 100); do
    port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$work/namesrv" | head -1)
    [ -z "$port" ] || break
    sleep 0.1
  done
  kill -STOP "$server"
  for i in $(seq 100); do
    grep -L '^State:.T' "/proc/$server/task/"*/status | grep -q . || break # all of its threads stand
    sleep 0.05
  done
  "$work/tune" burst "127.0.0.1:$port" >"$work/$1.burst"
  { kill -9 "$server"; wait "$server"; } 2>/dev/null
  server=
}
moved() { # moved WHAT UNIT FILE MORE|LESS: tuned it is better by a fifth at least, and taken back it is as bad as before
  local a b c
  read -r a <"$work/bad.$3"; read -r b <"$work/tuned.$3"; read -r c <"$work/back.$3"
  local said="$a $2, tuned $b, taken back $c"
  if awk -v a="$a" -v b="$b" -v c="$c" -v way="$4" 'BEGIN { if (way == "less") exit !(b > 0 && b * 1.2 < a && b * 1.2 < c); exit !(a > 0 && a * 1.2 < b && c * 1.2 < b) }'; then
    pass "figure/$1: $said"
  else
    fail "figure/$1: $said"
  fi
}

stalled >"$work/aside" 2>&1 &
aside=$!
look first >"$work/said" 2>&1 && sleep 1 && look second >>"$work/said" 2>&1 || { fail "values: $(cat "$work/said")"; summary tune; exit 1; }
bad_guides
look bad >>"$work/said" && sleep 1 && look again >>"$work/said"
[ -z "$dirty" ] || "$work/tune" dirty "$work/dirty" >/dev/null # a virtual machine gets its memory as it touches it, which takes time
figures bad
if try applied apply; then
  look tuned >>"$work/said"
  figures tuned
  try "taken back" undo
  ! "$work/tune" same "$work/look.bad" "$work/look.tuned" >/dev/null 2>&1 || fail "values: --apply changed nothing, so this shows nothing"
  figures back
fi
try "values as before --apply" sh -c "'$work/tune' look '$work/store' '$work/look.back' && '$work/tune' same '$work/look.bad' '$work/look.back' '$work/look.again'"
[ -e "$work/back.burst" ] || [ -z "$cold$burst$dirty" ] || fail "figures: they were not measured"
[ -z "$cold" ] || moved "KiB from the disk for a cold message, by read-ahead" KiB cold less
[ -z "$burst" ] || moved "clients of a thousand that are connected at once, by somaxconn" clients burst more
[ -z "$dirty" ] || moved "most in memory and not on the disk, by the limits on dirty pages" MiB dirty less

without_rights
persisted
wait "$aside"
aside=
cat "$work/aside"
count "$work/aside"
put_back
try "values as they were found" sh -c "'$work/tune' look '$work/store' '$work/look.last' && '$work/tune' same '$work/look.first' '$work/look.last' '$work/look.second'"
summary tune
