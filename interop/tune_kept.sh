# Functions of tune.sh --kept: what --persist writes, read by the programs that read it when a host, a unit or a login starts.

kept() {
  local over=$work/over
  mkdir -p "$over"
  if ! { mount --make-rprivate / && mount -t tmpfs none "$over" && mkdir "$over/up" "$over/work" &&
    mount -t overlay overlay -o "lowerdir=/etc,upperdir=$over/up,workdir=$over/work" /etc; } 2>"$work/said"; then
    unshown kept "no copy can be laid over /etc here: $(tail -1 "$work/said")"
    summary kept
    return
  fi
  mkdir -p /etc/systemd/system
  # The unit as a package would have it that knows nothing of limits, for the program that was built.
  sed -e "s,^ExecStart=.*,ExecStart=$bin broker," -e 's/^LimitNOFILE=.*/LimitNOFILE=1024/' -e '/^LimitMEMLOCK=/d' -e '/^\(User\|Group\|EnvironmentFile\)=/d' \
    "$root/deploy/systemd/ringmq.service" >/etc/systemd/system/ringmq.service
  local before after files=$work/files
  before=$(etc)
  "$bin" tune --store "$work/store" --undo-file "$work/kept-undo.json" --profile production --apply --persist -o json >"$work/kept.json" 2>"$work/said"
  case $? in 0 | 2) ;; *) fail "kept: --apply --persist: $(cat "$work/said")"; summary kept; return ;; esac
  mkdir "$files"
  (cd /etc && find . -name '90-ringmq*' -exec cp --parents {} "$files" \;)
  "$bin" tune --undo --undo-file "$work/kept-undo.json" >"$work/said" 2>&1
  after=$(etc)
  if [ "$before" = "$after" ] && [ -n "$(ls -A "$files")" ]; then
    pass "kept: --undo leaves /etc as it was, without $(cd "$files" && find . -type f | wc -l) files that --persist had written"
  else
    fail "kept: --undo does not leave /etc as it was: $(diff <(echo "$before") <(echo "$after"))"
  fi
  cp -r "$files/." /etc
  kept_sysctl
  kept_unit
  kept_limits
  kept_tmpfiles
  kept_udev
  summary kept
}

etc() { (cd /etc && find . -newermt 1970-01-02 -printf '%y %m %p\n' | sort; find /etc -xdev -type f -exec sha256sum {} + | sort); }

have() { # have FILE WHAT: tune had no reason to write it on this host
  [ -e "$1" ] || { unshown "$2" "tune had nothing to keep in $1 here"; false; }
}

kept_sysctl() {
  local file=/etc/sysctl.d/90-ringmq.conf key value path n=0
  have $file kept/sysctl || return
  command -v sysctl >/dev/null || { unshown kept/sysctl "sysctl is not here"; return; }
  [ -w /proc/sys/vm/swappiness ] || { unshown kept/sysctl "/proc/sys is read-only here"; return; }
  note $(sed -n 's/^\([a-z][^ ]*\) = .*/\1/p' $file | tr . / | sed 's,^,/proc/sys/,')
  sed 's/^vm\./vm.x/' $file >"$work/wrong.conf"
  ! sysctl -p "$work/wrong.conf" >/dev/null 2>&1 || { fail "kept/sysctl: sysctl takes keys that do not exist, so this shows nothing"; return; }
  sysctl -p $file >"$work/said" 2>&1 || { fail "kept/sysctl: $(tail -3 "$work/said")"; return; }
  while IFS== read -r key value; do
    key=${key% } value=${value# } path=/proc/sys/${key//.//}
    [ "$(xargs <"$path")" = "$value" ] || { fail "kept/sysctl: after sysctl -p $key is $(xargs <"$path") and not $value"; return; }
    n=$((n + 1))
  done < <(grep -v '^#' $file)
  pass "kept/sysctl: sysctl -p sets the $n values of $file"
}

kept_unit() {
  local file=/etc/systemd/system/ringmq.service.d/90-ringmq-tune.conf
  have $file kept/unit || return
  command -v systemd-analyze >/dev/null || { unshown kept/unit "systemd-analyze is not here"; return; }
  if ! systemd-analyze verify --man=no /etc/systemd/system/ringmq.service >"$work/said" 2>&1 || grep -q 90-ringmq "$work/said"; then
    fail "kept/unit: systemd-analyze verify: $(tail -3 "$work/said")"
    return
  fi
  systemd-analyze cat-config systemd/system/ringmq.service >"$work/cat" 2>&1
  cp $file "$work/unit.conf"
  sed -i 's/^LimitNOFILE=.*/LimitNOFILE=many/' $file
  systemd-analyze verify --man=no /etc/systemd/system/ringmq.service >"$work/said" 2>&1
  cp "$work/unit.conf" $file
  if ! grep -q 90-ringmq "$work/said"; then
    fail "kept/unit: systemd-analyze does not mind LimitNOFILE=many in it, so this shows nothing"
  elif grep -qx "# $file" "$work/cat" && [ "$(grep '^LimitNOFILE=' "$work/cat" | tail -1)" = "$(grep '^LimitNOFILE=' $file)" ]; then
    pass "kept/unit: systemd reads $(grep '^LimitNOFILE=' $file) of $file last, and finds nothing wrong"
  else
    fail "kept/unit: systemd does not read it last: $(grep -E '^# /|^LimitNOFILE' "$work/cat" | tr '\n' ' ')"
  fi
}

kept_limits() {
  local file=/etc/security/limits.d/90-ringmq.conf want said
  have $file kept/limits || return
  command -v su >/dev/null && grep -q '^session.*pam_limits' /etc/pam.d/su 2>/dev/null || { unshown kept/limits "su does not ask pam_limits here"; return; }
  want=$(sed -n 's/^\* - nofile //p' $file)
  if (ulimit -n 4096 && ulimit -n "$want") 2>/dev/null; then
    said=$(ulimit -n 4096 && su -s /bin/sh nobody -c 'ulimit -Hn' 2>&1)
  else
    unshown kept/limits-raised "root may not raise limits on this host, so that no login can be given $want; it is asked for 2048 below 4096 by the same line"
    sed -i "s/ $want\$/ 2048/" $file
    want=2048 said=$(ulimit -n 4096 && su -s /bin/sh nobody -c 'ulimit -Hn' 2>&1)
  fi
  if [ -n "$want" ] && [ "$said" = "$want" ]; then pass "kept/limits: a login has $said descriptors by $file, its parent had 4096"; else fail "kept/limits: a login has $said, not $want"; fi
}

kept_tmpfiles() {
  local file=/etc/tmpfiles.d/90-ringmq.conf names name want
  have $file kept/tmpfiles || return
  command -v systemd-tmpfiles >/dev/null || { unshown kept/tmpfiles "systemd-tmpfiles is not here"; return; }
  names=$(sed -n 's/^w \([^ ]*\) .*/\1/p' $file)
  for name in $names; do
    [ -w "$name" ] || { unshown kept/tmpfiles "$name is read-only here"; return; }
  done
  note $names /proc/sys/vm/min_free_kbytes
  systemd-tmpfiles --create $file >"$work/said" 2>&1 || { fail "kept/tmpfiles: $(tail -3 "$work/said")"; return; }
  for name in $names; do
    want=$(sed -n "s,^w $name - - - - ,,p" $file)
    [ "$(said_by "$name")" = "$want" ] || { fail "kept/tmpfiles: $name is $(said_by "$name") and not $want"; return; }
  done
  pass "kept/tmpfiles: systemd-tmpfiles writes $(wc -w <<<"$names") values of $file"
}

# udevadm is run from Debian's package where it is not installed; nothing is installed for it.
find_udevadm() {
  udevadm=$(command -v udevadm) && return
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return
  mkdir -p "$work/package"
  (cd "$work/package" && { apt-get download udev || { apt-get update && apt-get download udev; }; } && dpkg-deb -x udev_*.deb .) >"$work/said" 2>&1 || return
  udevadm=$(find "$work/package" -path '*bin/udevadm' | head -1)
  "$udevadm" --version >"$work/said" 2>&1
}

kept_udev() {
  local file=/etc/udev/rules.d/90-ringmq.rules device name want n=0 udevadm
  have $file kept/udev || return
  find_udevadm || { unshown kept/udev "udevadm is not here, and its package cannot be had: $(tail -1 "$work/said")"; return; }
  device=$(sed -n 's/.*KERNEL=="\([^"]*\)".*/\1/p' $file | head -1)
  [ -w "/sys/block/$device/queue/read_ahead_kb" ] || { unshown kept/udev "/sys is read-only here"; return; }
  note /sys/block/"$device"/queue/{nr_requests,wbt_lat_usec} $(find "/sys/block/$device/queue/iosched" -type f 2>/dev/null) /sys/block/"$device"/queue/{scheduler,read_ahead_kb}
  if "$udevadm" verify --help >/dev/null 2>&1 && ! "$udevadm" verify $file >"$work/said" 2>&1; then
    fail "kept/udev: udevadm verify: $(tail -3 "$work/said")"
    return
  fi
  "$udevadm" test --action=change "/sys/block/$device" >"$work/said" 2>&1
  while IFS=$'\t' read -r name want; do
    # Newer ones only say what they would write.
    if [ "$(said_by "/sys/block/$device/$name")" != "$want" ] && ! grep -q "$name.*$want" "$work/said"; then
      fail "kept/udev: by udevadm test $name is $(said_by "/sys/block/$device/$name") and not $want: $(grep -i ringmq "$work/said" | tail -3)"
      return
    fi
    n=$((n + 1))
  done < <(sed -n "s/.*KERNEL==\"$device\", ATTR{\([^}]*\)}=\"\(.*\)\"/\1\t\2/p" $file)
  if [ $n -gt 0 ]; then pass "kept/udev: udevadm takes the $n rules of $file for $device"; else fail "kept/udev: there is no rule in $file"; fi
}
