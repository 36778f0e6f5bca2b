#!/usr/bin/env bash
# Makes dist/ringmq_VERSION_ARCH.deb of bin/ringmq: program, units, configuration, manual pages, completions.
#   deploy/package.sh [OUT]        needs dpkg-deb; OUT is dist
# VERSION_DEB is the package's version where it is not to follow from the commit, CONF the folder of its configuration where that is not
# deploy/conf, DPKG_DEB_COMPRESSOR_TYPE another one than xz.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
out=${1:-$root/dist}
conf=${CONF:-$here/conf}
bin=${RINGMQ:-$root/bin/ringmq}
command -v dpkg-deb >/dev/null || { echo "package: dpkg-deb is not here (Debian package dpkg)" >&2; exit 1; }
[ -x "$bin" ] || { echo "package: no $bin; make build makes it" >&2; exit 1; }
# A version that dpkg can order: a tag v1.2.3 is 1.2.3; without one the moment of the commit says which is newer.
described=$(git -C "$root" describe --tags --match 'v[0-9]*' 2>/dev/null || true)
if [ -n "${VERSION_DEB:-}" ]; then
  version=$VERSION_DEB
elif [ -n "$described" ]; then
  version=$(sed 's/^v//; s/-\([0-9]*\)-g/+\1.g/' <<<"$described")
else
  version=0.1~git$(TZ=UTC git -C "$root" log -1 --format=%cd --date=format-local:%Y%m%d%H%M%S).$(git -C "$root" rev-parse --short HEAD)
fi
arch=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 0755 "$stage"
install -D -m 0755 "$bin" "$stage/usr/bin/ringmq"
install -D -m 0644 -t "$stage/lib/systemd/system" "$here"/systemd/*.service
install -D -m 0644 -t "$stage/etc/ringmq" "$conf"/*.conf
install -D -m 0644 -t "$stage/usr/share/doc/ringmq" "$root/README.md"
install -D -m 0644 -t "$stage/usr/share/doc/ringmq/pair" "$conf"/pair/*.conf
# What the README refers to, where its links find it.
install -D -m 0644 -t "$stage/usr/share/doc/ringmq/docs" "$root"/docs/*.md
install -D -m 0644 -t "$stage/usr/share/doc/ringmq/docs/adr" "$root"/docs/adr/*.md
install -D -m 0644 -t "$stage/usr/share/doc/ringmq/deploy/prometheus" "$here"/prometheus/*.yml
install -D -m 0644 -t "$stage/usr/share/doc/ringmq/deploy/grafana" "$here"/grafana/*.json
mkdir -p "$stage/usr/share/man/man1" "$stage/usr/share/bash-completion/completions" "$stage/usr/share/zsh/vendor-completions" "$stage/usr/share/fish/vendor_completions.d"
"$bin" man "$stage/usr/share/man/man1"
gzip -9n "$stage"/usr/share/man/man1/*.1
"$bin" completion bash >"$stage/usr/share/bash-completion/completions/ringmq"
"$bin" completion zsh >"$stage/usr/share/zsh/vendor-completions/_ringmq"
"$bin" completion fish >"$stage/usr/share/fish/vendor_completions.d/ringmq.fish"
mkdir "$stage/DEBIAN"
install -m 0755 -t "$stage/DEBIAN" "$here"/debian/postinst "$here"/debian/prerm "$here"/debian/postrm
(cd "$stage" && find etc -type f | sed 's,^,/,' | sort) >"$stage/DEBIAN/conffiles"
cat >"$stage/DEBIAN/control" <<C
Package: ringmq
Version: $version
Architecture: $arch
Maintainer: ringmq <ringmq@localhost>
Section: net
Priority: optional
Depends: adduser
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f1)
Description: message broker and name server for RocketMQ clients
 One static binary that does what Apache RocketMQ's broker and name server do,
 for unmodified clients of the remoting protocol, on its files.
C
mkdir -p "$out"
dpkg-deb --root-owner-group --build -Z"${DPKG_DEB_COMPRESSOR_TYPE:-xz}" "$stage" "$out/ringmq_${version}_$arch.deb" >/dev/null
echo "$out/ringmq_${version}_$arch.deb"
