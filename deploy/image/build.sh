#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# build.sh [--fresh | --anew] STORE -- deploy/Dockerfile's images in STORE/images; asks no registry.
#
# Nothing is done if they are newer than their sources; --fresh says by its exit code whether they
# are. What the Dockerfile calls debian:12-slim is made here from Debian's packages, by mmdebstrap, and
# made anew after a week, or at once by --anew; all that stands on it follows. Packages fetched on the
# way stay in STORE/packages. Of the build only the images are kept.
set -euo pipefail
only_ask='' anew=''
case ${1:-} in
    --fresh) only_ask=yes; shift ;;
    --anew) anew=yes; shift ;;
esac
(($# == 1)) || { sed -n '4s/^# //p' "$0" >&2; exit 2; }
store=$(realpath -m "$1")
cd "$(dirname "$0")/../.."

readonly BASE=docker.io/library/debian:12-slim SUITE=bookworm
version=$(sed -n "s/^ *version: '\(.*\)',$/\1/p" meson.build)

engine() {
    deploy/image/engine.sh "$store" "$@"
}

are_fresh() {
    local sources
    sources=$(sed -n 's/^COPY \([^-].*\) [^ ]*$/\1/p' deploy/Dockerfile)
    [[ -e $store/built && -n $(base_made) ]] || return 1
    # shellcheck disable=SC2086 # they are many
    [[ -z $(find deploy/Dockerfile deploy/image $sources -newer "$store/built" -print -quit) ]]
}

# Prints something if the base was made within a week.
base_made() {
    [[ ! -e $store/base-made ]] || find "$store/base-made" -mtime -7
}

# This machine's own mirrors, if it is of that release; else mmdebstrap's default.
mirrors() {
    # shellcheck disable=SC2016 # apt's variables
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' |
        grep -E " $SUITE(-updates|-security)? main$" || true
}

make_base() {
    local lines
    mapfile -t lines < <(mirrors)
    rm -f "$store/packages"/*.deb
    mmdebstrap --quiet --mode=root --variant=minbase --aptopt='Acquire::Languages "none"' \
        $SUITE "$store/base.tar" "${lines[@]}"
    engine import --quiet --change 'CMD ["bash"]' "$store/base.tar" $BASE
    rm "$store/base.tar"
}

[[ ! $anew ]] || rm -f "$store/base-made"
if are_fresh; then
    exit 0
elif [[ $only_ask ]]; then
    exit 1
fi
mkdir -p "$store/packages"
if [[ -z $(base_made) ]] || ! engine image exists $BASE; then
    make_base
    touch "$store/base-made"
fi
touch "$store/started"
for target in ackd worker sdk ocr; do
    name=ackd-$target
    [[ $target != ackd ]] || name=ackd
    engine build --pull=never --isolation chroot --network host --layers \
        --volume "$store/packages:/var/cache/apt/archives" \
        --file deploy/Dockerfile --target $target --tag "$name:$version" .
done
engine image prune --force
mv "$store/started" "$store/built" # what changed in the meantime is newer
