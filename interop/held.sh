# hold_memory PROGRAM: until this shell ends this machine keeps the memory that it has; a virtual machine's host may take away what is free, and what
# is measured is then the host. Sets held to a sentence for a page of figures.
hold_memory() {
  local said=
  exec 6< <(exec "$1" bench hold-memory --pid $$ 2>&1)
  read -r -u 6 said
  case $said in
    holding*) held="Memory: ${said%;*}, and given back (\`ringmq bench hold-memory\`): on a virtual machine whose host takes free memory away, each new page costs a fault there otherwise, for whoever stores." ;;
    *) echo "memory could not be held: $said" >&2; held="Memory could not be held ($said), so a virtual machine's host may have had its part in what was stored." ;;
  esac
}
