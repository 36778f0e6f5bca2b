# Functions of checks that need something of the machine: pass, fail, check, unshown, summary. MUST=1, as continuous integration sets it, makes a
# failure of what could not be shown; without it that is counted and said, and never taken for a pass.
passed=0 failed=0 skipped=0
pass() { passed=$((passed + 1)); echo "PASS $*"; }
fail() { failed=$((failed + 1)); echo "FAIL $*"; }
check() { # check WHAT COMMAND...: part of $suite; what a failing command said is in $work/said
  local what=$suite/$1
  shift
  if "$@" >"$work/said" 2>&1; then pass "$what"; else fail "$what: $(tail -3 "$work/said" | tr '\n' ' ')"; fi
}
unshown() { # unshown WHAT WHY...
  local what=$1; shift
  if [ "${MUST:-0}" = 1 ]; then fail "$what: not shown, and MUST=1: $*"; else skipped=$((skipped + 1)); echo "SKIP $what: $*"; fi
}
count() { # count FILE: adds the lines of another program
  passed=$((passed + $(grep -c '^PASS ' "$1"))) failed=$((failed + $(grep -c '^FAIL ' "$1"))) skipped=$((skipped + $(grep -c '^SKIP ' "$1")))
}
summary() { # summary NAME: the last line, and whether all is well
  echo "$1: $passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
}
