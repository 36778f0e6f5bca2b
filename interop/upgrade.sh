#!/usr/bin/env bash
# What docs/OPERATIONS.md says of upgrading and of going back: an older program of this project is built from its history, and it and
# bin/ringmq take turns on one store, stopped in order and killed. Each must serve all that any of them acknowledged, with progress and keys;
# or it refuses to start, says which file of which version is in its way, and has changed nothing. Ends with "upgrade: N passed, N failed, N skipped".
#   interop/upgrade.sh [COMMIT...]     instead of the commits below
# Where a commit is not there, in a shallow clone or in what an archive was unpacked to, it is skipped, and with MUST=1 that is a failure.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
new=${RINGMQ:-$root/bin/ringmq}
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-upgrade-XXXXXX") || exit 1
# The last commits before the form of a file changed, each with the file that keeps it from starting once the present program has written it;
# "-": none does.
#   ebe3c9ca: deleted.json and cut.json had version 1 and no checksum, and no other version of them was read
#   9e3382c7: queues.json and replay.json had version 1, deleted.json was not asked for its version
pins=${*:-ebe3c9cad6564c25b3dbb918d2d49d91a7ebefa8:deleted.json 9e3382c754a5faf9139d115cc0ac9eaff76a961b:-}

. "$here/must.sh"
. "$here/lib.sh"
cleanup() {
  ours_stop
  [ -z "${load:-}" ] || kill "$load" 2>/dev/null
  rm -f "${TMPDIR:-/tmp}/ringmq-interop-$shift_ports.lock"
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
ns=127.0.0.1:$ns_port broker=127.0.0.1:$broker_port

build() { # build COMMIT: $old, as make build makes it
  local source=$work/source
  command -v git >/dev/null && command -v go >/dev/null || { echo "git or go is not here"; return 1; }
  git -C "$root" cat-file -e "$1^{commit}" 2>"$work/why" || { echo "commit $1 is not here; a shallow clone gets it by git fetch --unshallow"; return 1; }
  rm -rf "$source" && mkdir "$source" && git -C "$root" archive "$1" | tar -x -C "$source" || return
  old=$work/ringmq-${1:0:8}
  (cd "$source" && CGO_ENABLED=0 go build -trimpath -tags uring -ldflags="-checklinkname=0 -X main.version=${1:0:8}" -o "$old" ./cmd/ringmq) 2>&1
}

ok() { pass "upgrade/$commit: $*"; }
bad() { fail "upgrade/$commit: $*: $(tail -2 "$work/said" | tr '\n' ' ')"; }
start() { # start PROGRAM
  bin=$1
  : >"$work/ours.log"
  ours_start store mappedFileSizeCommitLog=4194304 && return
  cp "$work/ours.log" "$work/said"
  return 1
}
crash() { kill -9 "$ours_pid"; wait "$ours_pid" 2>/dev/null; rm -f "$work/ours.pid"; }

# write NAME: two seconds of messages under a name of their own; a ledger has what was acknowledged. crashed NAME: the broker is killed meanwhile.
write() { "$new" bench verify -b "$broker" --topic "$1" --duration 2s --rate 2000 --keys --ledger "$work/ledgers/$1" >"$work/said" 2>&1; }
crashed() {
  "$new" bench verify -b "$broker" --topic "$1" --duration 60s --rate 2000 --keys --ledger "$work/ledgers/$1" >"$work/said" 2>&1 &
  load=$!
  sleep 2
  crash
  wait "$load" # it ends with its connections, and says that nothing was checked
  load=
  [ -s "$work/ledgers/$1" ]
}
progress() { "$new" admin consumerProgress -n "$ns" -g KeptGroup -t Kept 2>&1 | awk '$1 == "Kept" {print $2, $3, $4, $5}'; }
keyed() { "$new" admin queryMsgByKey -n "$ns" -t Kept -k kept >"$work/said" 2>&1 && grep -q "^[0-9A-F]\{32\}" "$work/said"; }

# all: what every ledger has is there, once, in its place; a group is where it was, its messages are found by their key.
all() {
  local ledger
  for ledger in "$work"/ledgers/*; do
    "$new" bench verify -b "$broker" --ledger "$ledger" --check >"$work/said" 2>&1 || { echo "ledger $(basename "$ledger")" >>"$work/said"; return 1; }
  done
  keyed || { echo "the message is not found by its key" >>"$work/said"; return 1; }
  progress >"$work/progress.now"
  cmp -s "$work/progress" "$work/progress.now" || { diff "$work/progress" "$work/progress.now" >"$work/said"; return 1; }
}
turn() { # turn WHAT PROGRAM: a program starts, and has everything
  start "$2" && all && { ok "$1 has everything"; return; }
  bad "$1 has everything"
  return 1
}

first() { # the older program makes the store
  start "$old" &&
    { "$new" admin updateTopic -n "$ns" -b "$broker" -t Kept -r 2 -w 2 && "$new" admin updateTopic -n "$ns" -b "$broker" -t Gone -r 2 -w 2 &&
      "$new" admin updateSubGroup -n "$ns" -b "$broker" -g KeptGroup &&
      "$new" admin sendMessage -n "$ns" -t Kept -p one -k kept -b broker-a -i 0 && "$new" admin sendMessage -n "$ns" -t Kept -p two -b broker-a -i 0 &&
      "$new" admin sendMessage -n "$ns" -t Gone -p three -b broker-a -i 0 &&
      "$new" admin resetOffsetByTime -n "$ns" -g KeptGroup -t Kept -s 0 -b "$broker" -q 0 -o 1; } >"$work/said" 2>&1 &&
    progress >"$work/progress" && [ -s "$work/progress" ] && write Old1 && all
}
# tree: all files but what says that a process has the store, or has died with it: programs before this check leave "abort" when they refuse.
tree() { (cd "$last_store" && find . -type f ! -name lock ! -name abort -exec sha256sum {} + | sort -k2); }

gone() { # gone WHOSE
  "$new" admin topicList -n "$ns" >"$work/said" 2>&1
  if grep -qx Kept "$work/said" && ! grep -qx Gone "$work/said"; then ok "$1: the deleted topic stays deleted"; else bad "$1: the deleted topic stays deleted"; fi
}

deleted() { # deleted FILE: the present program has deleted a topic, and the older one comes
  start "$new" && "$new" admin deleteTopic -n "$ns" -c DefaultCluster -t Gone >"$work/said" 2>&1 || { bad "a topic is deleted"; return; }
  ours_stop
  if [ "$1" = - ]; then
    turn "the older program, behind a deletion," "$old"
  else
    tree >"$work/before"
    if start "$old" 2>/dev/null; then bad "the older program starts although it cannot know $1"; return; fi
    ours_stop
    if grep -q "$1 has format version" "$work/said"; then ok "the older program refuses: $(grep -o "$1 has format version.*" "$work/said" | head -1)"; else bad "the older program does not say that $1 is in its way"; fi
    tree | cmp -s "$work/before" - && ok "it has changed nothing" || { tree | diff "$work/before" - >"$work/said"; bad "it has changed something"; }
    mv "$last_store/ringmq/$1" "$work/aside" # as docs/OPERATIONS.md says it, to go back all the same
    turn "the older program, without $1," "$old"
    gone "the older program, without $1"
  fi
  ours_stop
  turn "the present program, after that," "$new" || return
  gone "the present program, after that"
}

exchange() { # exchange FILE
  rm -rf "$work/ledgers" "$work/ours-store" && mkdir "$work/ledgers"
  first && ok "the older program makes a store" || { bad "the older program makes a store"; return; }
  ours_stop
  turn "the present program" "$new" && write New1 || return
  ours_stop
  turn "the older program, again," "$old" && crashed Old2 || return
  turn "the present program, after a crash of the older one," "$new" && crashed New2 || return
  turn "the older program, after a crash of the present one," "$old" && write Old3 || return
  ours_stop
  turn "the present program, at last," "$new" || return
  ours_stop
  deleted "$1"
}

[ -x "$new" ] || { echo "upgrade: no $new; make build makes it"; exit 1; }
for pin in $pins; do
  commit=${pin%%:*}
  if ! why=$(build "$commit"); then
    unshown "upgrade/${commit:0:8}" "$(tail -3 <<<"$why" | tr '\n' ' ')"
    continue
  fi
  old=$work/ringmq-${commit:0:8} commit=${commit:0:8}
  case $pin in *:*) exchange "${pin#*:}" ;; *) exchange - ;; esac
  ours_stop
done
summary upgrade
