# Functions of tune.sh that change the host for a while: bad_guides, persisted, without_rights, stalled, and put_back, which undoes all of it.

said_by() { # said_by FILE: the value of a kernel's file; of a list the word in brackets
  local text; text=$(cat "$1") || return
  case $text in *'['*']'*) text=${text#*'['}; text=${text%%']'*} ;; esac
  echo "$text"
}
wrong() { # wrong FILE VALUE: sets it after noting what was there; false where this host does not allow it
  local was; was=$(said_by "$1" 2>/dev/null) || return
  printf '%s\t%s\n' "$1" "$was" >>"$work/was"
  printf '%s\n' "$2" 2>/dev/null >"$1" && [ "$(said_by "$1")" = "$2" ]
}
put_back() {
  local u file value
  for u in "$work"/undo.json "$work"/kept-undo.json; do
    [ ! -e "$u" ] || "$bin" tune --undo --force --undo-file "$u"
  done
  [ -e "$work/was" ] || return 0
  while IFS=$'\t' read -r file value; do
    [ "$(said_by "$file")" = "$value" ] || printf '%s\n' "$value" >"$file" || echo "tune: $file could not be brought back to $value" >&2
  done < <(tac "$work/was")
  rm -f "$work/was"
}

# bad_guides sets what advice is measured against, and what taking back could forget. It sets cold, burst and dirty where these can be shown.
bad_guides() {
  local device k vm=/proc/sys/vm thp=/sys/kernel/mm/transparent_hugepage total
  cold= burst= dirty=
  if ! device=$("$work/tune" device "$work/store" 2>&1); then
    unshown "figure/cold" "$device; DIR may name a folder on one"
  elif wrong "/sys/block/$device/queue/read_ahead_kb" 8192; then
    cold=yes
  else
    unshown "figure/cold" "the read-ahead of $device cannot be set here"
  fi
  if wrong /proc/sys/net/core/somaxconn 128; then burst=yes; else unshown "figure/burst" "net.core.somaxconn cannot be set here"; fi
  total=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
  # Of limits that are given in bytes the ratio is 0, and the other way round: noted is the one that brings both back.
  for k in dirty_background dirty; do
    if [ "$(cat "$vm/${k}_bytes")" != 0 ]; then printf '%s\t%s\n' "$vm/${k}_bytes" "$(cat "$vm/${k}_bytes")" >>"$work/was"; fi
  done
  if [ "$total" -lt $((5 << 20)) ]; then
    unshown "figure/dirty" "less than 5 GiB of memory are free, and 1.5 of them would be filled"
  elif wrong $vm/dirty_ratio 60 && wrong $vm/dirty_background_ratio 50; then
    dirty=yes
  else
    unshown "figure/dirty" "the limits on dirty pages cannot be set here"
  fi
  sed -i '/_ratio\t0$/d' "$work/was"
  wrong $vm/dirty_writeback_centisecs 360000
  # The kernel raises min_free_kbytes by itself when huge pages are switched, and forgets a scheduler's settings with the scheduler.
  wrong $thp/enabled always
  wrong $vm/min_free_kbytes $(($(cat $vm/min_free_kbytes) / 2))
  [ -z "$cold" ] || for k in /sys/block/"$device"/queue/iosched/{read_expire,read_lat_nsec}; do
    [ ! -e "$k" ] || wrong "$k" $(($(cat "$k") * 2))
  done
}

note() { # note FILE...: put_back is to bring back what they say now; bytes of 0 come back with their ratio
  local file
  for file; do
    [ ! -e "$file" ] || [ "${file##*_}" = bytes ] && [ "$(cat "$file")" = 0 ] || printf '%s\t%s\n' "$file" "$(said_by "$file")" >>"$work/was"
  done
}

# persisted runs tune_kept.sh in a mount name space, where a copy that is thrown away lies over /etc. The kernel is the real one.
persisted() {
  command -v unshare >/dev/null || { unshown kept "unshare is not here"; return; }
  timeout 120 unshare --mount "$root/interop/tune.sh" --kept "$work" >"$work/kept" 2>"$work/kept.err"
  grep -v '^kept: ' "$work/kept"
  count "$work/kept"
  grep -q '^kept: ' "$work/kept" || fail "kept: it ended early: $(tail -3 "$work/kept.err")"
}

# without_rights: who is not root is told what was not done, and by the exit code that something is left.
without_rights() {
  command -v setpriv >/dev/null || { unshown rights "setpriv is not here"; return; }
  local nobody="setpriv --reuid=65534 --regid=65534 --clear-groups" code
  install -m 0755 "$bin" "$work/ringmq" && chmod 0711 "$work" && install -d -m 0755 -o 65534 -g 65534 "$work/theirs"
  $nobody "$work/ringmq" version >/dev/null 2>&1 || { unshown rights "nobody cannot run a program in $work"; return; }
  $nobody "$work/ringmq" tune --store "$work/store" --profile production --apply --undo-file "$work/theirs/undo.json" >"$work/said" 2>&1
  code=$?
  if [ $code = 2 ] && grep -qE '^not done  /(proc|sys)/.*(permission denied|read-only file system)$' "$work/said" && grep -qx 'only root may set these' "$work/said" && ! [ -e "$work/theirs/undo.json" ]; then
    pass "rights: --apply without root names $(grep -c '^not done' "$work/said") values that it did not set, and exits with 2"
  else
    fail "rights: --apply without root exits with $code: $(head -5 "$work/said")"
  fi
  $nobody "$work/ringmq" tune --store "$work/store" --profile production --apply --persist --undo-file "$work/undo/theirs.json" >"$work/said" 2>&1
  code=$?
  # 1 where something was left to write and the undo file cannot be; 2 where every line of the files was refused with its value.
  if { [ $code = 1 ] && grep -qx 'not done  /etc/sysctl.d/90-ringmq.conf is not written' "$work/said" && grep -q '^ringmq: nothing was changed.*only root may' "$work/said"; } ||
    { [ $code = 2 ] && grep -q '^not done  /etc/sysctl.d/90-ringmq.conf does not keep ' "$work/said" && grep -qx 'only root may set these' "$work/said"; }; then
    pass "rights: --apply --persist without root names the files that it did not write, and exits with $code"
  else
    fail "rights: --apply --persist without root exits with $code: $(head -5 "$work/said")"
  fi
}

# stalled: a file system whose writes wait until it is thawed is what a device that does not answer is to a program.
stalled() {
  local need code began took said=$work/stalled.said
  for need in mkfs.ext4 fsfreeze mount; do
    command -v $need >/dev/null || { unshown stalled "$need is not here"; return; }
  done
  truncate -s 96M "$work/image" && mkfs.ext4 -q "$work/image" && mkdir -p "$work/stalled" &&
    mount -o loop "$work/image" "$work/stalled" 2>"$said" || { unshown stalled "no image can be mounted here: $(tail -1 "$said")"; return; }
  local mounted=$work/stalled
  mkdir "$mounted/store"
  sync -f "$mounted" && fsfreeze -f "$mounted" || { unshown stalled "it cannot be frozen"; umount "$mounted"; return; }
  began=$(date +%s%N)
  timeout -k 1 40 "$bin" tune probe-disk --store "$mounted/store" >"$said" 2>&1 &
  echo $! >"$work/stalled.pid"
  wait $!
  code=$? took=$(($(date +%s%N) / 1000000 - began / 1000000))
  fsfreeze -u "$mounted"
  if [ $code = 1 ] && [ $took -le 20000 ] && grep -q 'did not answer' "$said"; then
    pass "stalled: probe-disk ends after $took ms and says that the device did not answer"
  else
    fail "stalled: probe-disk exits with $code after $took ms: $(tail -3 "$said")"
  fi
  if timeout 30 "$bin" tune probe-disk --store "$mounted/store" --limit 1s >"$said" 2>&1 && [ -s "$mounted/store/ringmq/disk.json" ]; then
    pass "stalled: once it answers again it is measured"
  else
    fail "stalled: once it answers again: $(tail -3 "$said")"
  fi
  umount "$mounted"
}
