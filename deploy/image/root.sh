#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# root.sh OUT ROOT [--package NAME]... FILE... -- makes ROOT the smallest root that the files run in.
#
# FILEs are below OUT, where `meson install` put them, and get the same place below ROOT. With them
# come the Debian packages that hold the libraries that they link, directly or by others, and those
# named; the certificates of CAs; the users root and ackd (65532). There is no shell, no package
# manager and nothing setuid. No list of packages is kept: the programs are asked what they link.
# Libraries of no package, such as libackd, come alone.
#
# Of a package come all files but documentation, translations and tables of character sets; its
# licence stays, and its status lies in /var/lib/dpkg/status.d, where scanners look for it.
set -euo pipefail
(($# >= 3)) || { sed -n '4s/^# //p' "$0" >&2; exit 2; }
out=$1 root=$2
shift 2
# libgcc-s1: libc itself loads it, when a thread is cancelled.
packages=(libgcc-s1) files=()
while (($#)); do
    if [[ $1 == --package ]]; then packages+=("$2"); shift; else files+=("$1"); fi
    shift
done

fail() {
    echo "root.sh: $*" >&2
    exit 1
}

# Prints the libraries that programs of OUT link, each once, by their own names.
linked() {
    local found
    found=$(LD_LIBRARY_PATH=$out/usr/lib ldd "${@/#/$out/}")
    ! grep "not found" <<<"$found" >&2 || fail "these libraries are not here"
    grep -oE '\s/[^ ]+ \(' <<<"$found" | tr -d ' \t(' | sort -u
}

# Prints a line "FILE PACKAGE" for each library that a package holds, by its real place: dpkg may know
# one by that before /lib was a link.
owners() {
    { dpkg-query -S "$@" "${@#/usr}" 2>/dev/null || true; } |
        sed -nE 's,^([a-z0-9.+-]+)(:\w+)?: (/usr)?(/.*),/usr\4 \1,p'
}

# Prints what packages bring, by its real place.
contents() {
    dpkg-query -L "$@" |
        grep -E '^/' |
        grep -vE '^/usr/share/(doc|man|locale|lintian|bug)/|/gconv/' |
        while read -r path; do
            [[ -d $path || ! -e $path ]] || echo "$path"
        done |
        sed -E 's,^/(usr/)?lib,./usr/lib,; s,^/,./,'
}

mkdir -p "$root"/{etc/ssl/certs,usr/lib,var/lib/dpkg/status.d}
for link in /lib*; do # links in Debian, by which programs find their loader
    [[ ! -L $link ]] || { cp -P "$link" "$root/"; mkdir -p "$root/$(readlink "$link")"; }
done
for file in "${files[@]}"; do
    mkdir -p "$root/${file%/*}"
    cp "$out/$file" "$root/$file"
done

libraries=$(linked "${files[@]}")
mapfile -t places < <(xargs readlink -f <<<"$libraries")
declare -A owner=()
while read -r file package; do
    owner[$file]=$package
done < <(owners "${places[@]}")
for library in $libraries; do
    real=$(readlink -f "$library")
    package=${owner[/usr${real#/usr}]:-}
    if [[ $package ]]; then packages+=("$package"); else cp "$library" "$root/usr/lib/"; fi
done
mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
contents "${packages[@]}" | sort -u | tar -C / --create --files-from - | tar -C "$root" --extract

# Made when ca-certificates is installed, so not among its files.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
for package in "${packages[@]}" ca-certificates; do
    mkdir -p "$root/usr/share/doc/$package"
    cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/"
    dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
done

cp -L /etc/os-release "$root/etc/"
cat >"$root/etc/passwd" <<-'END'
	root:x:0:0:root:/nonexistent:/nonexistent
	ackd:x:65532:65532:ackd:/nonexistent:/nonexistent
END
printf 'root:x:0:\nackd:x:65532:\n' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
install -d -m 1777 "$root/tmp"
