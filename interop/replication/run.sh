#!/usr/bin/env bash
# Shows that a master and its slave keep what they promise.
#   interop/replication/run.sh FAULTS [ours] [pages] [mixed] [migration] [clients] [mixed-clients] [admin]     all parts by default
# ours: every scene, FAULTS random faults on a pair of ours, and a few under ASYNC_FLUSH; pages: the commands of docs/REPLICATION.md that set
# up a pair, and those of docs/MIGRATION.md for a master that is gone; mixed: ours beside stock, either way round, with a twentieth of the
# faults, but 12 if there are so many; migration: docs/MIGRATION.md as it is written; clients: the Java client and client-go, whose brokers are killed
# and restarted; mixed-clients: the Java client on ours beside stock, either way round; admin: stock's mqadmin on a pair of stock's and on one of
# ours. All but the first two need Java 17 and Maven for the stock jars. SEED chooses the faults, PORT is the first of fifty ports, SCENES is a
# regular expression of what of ours and mixed is played, where it is not all.
# What failed is kept and named; what cannot be shown here is skipped, or fails with MUST=1. Ends with "replication: N passed, M failed, K skipped".
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${RINGMQ:-$root/bin/ringmq}
rmq=$root/interop/stock/rmq
jars=${RMQ_HOME:-$HOME/.cache/stock-rmq}
faults=${1:-30}
shift || true
parts=${*:-ours pages mixed migration clients mixed-clients admin}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
scenes=${SCENES:-.}
work=$(mktemp -d "${TMPDIR:-/tmp}/ringmq-replication-tools-XXXXXX")
trap 'rm -rf "$work"' EXIT
die() { echo "replication: $*" >&2; exit 1; }

(cd "$root" && go build -o "$work/replication" ./interop/replication) || die "the program does not build"
if grep -qE 'mixed|migration|clients|admin' <<<"$parts"; then
  RMQ_HOME=$jars "$rmq" install || die "the stock jars cannot be fetched"
fi
play() { # play FLAGS...: one part; its lines go through, its own sum gives way to that of all at the end
  "$work/replication" -bin "$bin" -rmq "$rmq" -jars "$jars" -port "${PORT:-24400}" -seed "$seed" -keep "$@" | tee "$work/part" | grep --line-buffered -v '^replication: .* passed, '
  tail -1 "$work/part" | grep -q '^replication: .* passed, ' || echo "FAIL $part: it ended early" | tee -a "$work/part"
  cat "$work/part" >>"$work/lines"
}
java_client() { # java_client [-D...]... CLASS [ARGS...]: sets java, the command
  local classpath
  classpath=$(RMQ_HOME=$jars "$rmq" classpath)
  java="exec java -Xmx256m -Dnamesrv=\$NAMESRV -Dbrokers=\$BROKERS -Dcontrol=\$CONTROL -Drocketmq.client.logRoot=\$PWD/clientlog -cp '$work/classes:$classpath' $*"
  [ -d "$work/classes" ] && return
  mkdir "$work/classes"
  javac -nowarn -Xlint:-deprecation -d "$work/classes" -cp "$classpath" "$root"/interop/java/{PairLife,Gap,LateMember,PullLog,PairAdmin,AdminDiff,Env}.java 2>&1 | grep -v '^Note:'
}
clients() {
  java_client -Dprogress=true PairLife
  (cd "$root/interop/goclient" && go build -o "$work/goclient" .) || die "goclient does not build"
  play -scenes none -clients "$java" -clients "exec '$work/goclient' -namesrv \$NAMESRV -pair \$BROKERS -control \$CONTROL"
}
mixed_clients() { # a stock master asks nobody for progress: it has it when its slave has offered it
  java_client -Dprogress=true PairLife
  play -scenes none -pairs ours+stock -clients "$java"
  java_client -Dprogress=offered PairLife
  play -scenes none -pairs stock+ours -clients "$java"
}
admin() { # a stock pair is asked first, under stock's name server: what it prints is what ours must print
  java_client PairAdmin collect "$work/admin"
  play -scenes none -pairs stock+stock -namesrv stock -clients "$java"
  java_client PairAdmin compare "$work/admin"
  play -scenes none -clients "$java"
}
for part in $parts; do
  case $part in
    ours) play -scenes "$scenes" -pairs ours+ours -faults "$faults" ;;
    pages) play -scenes none -gone "$root/docs/MIGRATION.md" -setup "$root/docs/REPLICATION.md" ;;
    mixed) play -scenes "$scenes" -pairs ours+stock,stock+ours -faults $((faults < 12 ? faults : faults < 240 ? 12 : faults / 20)) -chapter 12 ;;
    migration) play -scenes none -migration "$root/docs/MIGRATION.md" ;;
    clients) clients ;;
    mixed-clients) mixed_clients ;;
    admin) admin ;;
    *) die "no part named $part" ;;
  esac
done
passed=$(grep -c '^PASS ' "$work/lines"); failed=$(grep -c '^FAIL ' "$work/lines")
echo "replication: $passed passed, $failed failed, $(grep -c '^SKIP ' "$work/lines") skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
