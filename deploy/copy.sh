# Functions of tests that change a whole system: a copy of this one, an overlay of its root that is thrown away with the namespaces of the test.
# The caller is in a mount namespace of its own, has $work, a folder, and $here, the folder of these scripts; both packages lie in /opt/here of the copy.
lacking() { # lacking COMMAND...: what is missing to run such a test, a line each; nothing when all is there
  local need
  for need in "$@"; do
    command -v "$need" >/dev/null || echo "$need is not here"
  done
  [ "$(id -u)" = 0 ] || echo "it needs root"
}
packages() { # packages [PACKAGE]: $work/package.deb, of bin/ringmq if none is given, and $work/older.deb, with an older version and another configuration
  local package older
  package=${1:-$("$here/package.sh" "$work")}
  cp "$package" "$work/package.deb" 2>/dev/null || [ "$package" -ef "$work/package.deb" ]
  cp -r "$here/conf" "$work/conf"
  sed -i '1s/.*/# The broker, as another release describes it./' "$work/conf/broker.conf"
  older=$(VERSION_DEB=$(dpkg-deb -f "$work/package.deb" Version)~older CONF=$work/conf DPKG_DEB_COMPRESSOR_TYPE=none "$here/package.sh" "$work")
  mv "$older" "$work/older.deb"
}
copied() { # copied: makes $root
  mount --make-rprivate /
  mkdir "$work/space" && mount -t tmpfs -o size=4g none "$work/space" && mkdir "$work/space/up" "$work/space/work" "$work/root"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$work/space/up,workdir=$work/space/work" "$work/root"
  root=$work/root
  mkdir -p "$root/opt/here" && cp "$work/package.deb" "$work/older.deb" "$root/opt/here/"
  ip link set lo up
}
in_root() { chroot "$root" "$@"; }

# A message that is to stay, sent and read by what runs there: $inside is the caller's function that runs a command in the copy.
ns=127.0.0.1:9876
sends() { "$inside" ringmq admin updateTopic -n "$ns" -c DefaultCluster -t Kept -r 1 -w 1 && "$inside" ringmq admin sendMessage -n "$ns" -t Kept -p "sent before"; }
reads() { "$inside" ringmq admin printMsg -n "$ns" -t Kept | grep 'BODY: sent before$'; }
