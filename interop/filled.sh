# Memory for figures: a virtual machine's host may take away what is free, and what is measured is then the host. Sourced.

# fill_memory PROGRAM [FOLDER]: from now on, until this shell ends or memory_free, no memory of this machine is free. FOLDER is on a disk, where the
# stores lie. Sets filled to a sentence for a page of figures.
fill_memory() {
  local said=
  [ -z "${filler:-}" ] || { memory_full; return; }
  exec 6< <(exec nice -n 19 "$1" bench fill-memory --folder "${2:-${TMPDIR:-/tmp}}" --pid $$ 2>&1)
  filler=$!
  read -r -u 6 said
  case $said in
    "memory is full"*) filled="Memory was full of pages that the kernel may take (\`ringmq bench fill-memory\`), as that of any machine which has stored and read for some hours: on a virtual machine whose host takes free memory away, each page costs a fault there otherwise, for whoever stores." ;;
    *) echo "memory could not be filled: $said" >&2; filler=none filled="Memory could not be filled ($said), so a virtual machine's host may have had its part in what was stored." ;;
  esac
}

# memory_free gives all of it back, for what empties the page cache.
memory_free() {
  case $filler in
    none | '') ;;
    *) kill "$filler" 2>/dev/null; filler= ;;
  esac
}

# memory_full waits until what has become free is filled again, a minute at most. Where it is to be free nothing is waited for.
memory_full() {
  local i
  case $filler in none | '') return ;; esac
  for i in $(seq 120); do
    awk '/^MemTotal/{all=$2} /^MemFree/{free=$2} END{exit free > all/8}' /proc/meminfo && return
    sleep 0.5
  done
}
