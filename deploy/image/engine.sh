#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# engine.sh STORE COMMAND... -- podman with its images in STORE, as root.
#
# It runs in namespaces of its own and keeps all but the images in memory there: when it ends, however
# it ends, no process, mount or state of it is left, and an engine that this machine has knows
# nothing of it. With `run` the images are only read, so that many may run at a time.
set -euo pipefail
(($# >= 2)) || { sed -n '4s/^# //p' "$0" >&2; exit 2; }

fail() {
    echo "engine.sh: $*" >&2
    exit 1
}

if [[ $1 != --inside ]]; then
    ((EUID == 0)) || fail "only root may run containers of other users"
    for tool in podman crun; do
        command -v $tool >/dev/null || fail "there is no $tool"
    done
    mkdir -p "$1/images/libpod" "$1/state"
    exec unshare --mount --pid --fork --kill-child --mount-proc "$0" --inside "$(realpath "$1")" \
        "${@:2}"
fi
store=$2
shift 2

mount -t tmpfs -o mode=0711 state "$store/state"
mount -t tmpfs libpod "$store/images/libpod" # knows the store by its place
mount -t tmpfs shm /dev/shm # where podman keeps its locks, for every store the same
# crun takes version 1 of cgroups, or 2, and refuses a mixture.
if mountpoint -q /sys/fs/cgroup/unified; then
    umount /sys/fs/cgroup/unified
fi
podman=(podman --runtime crun --cgroup-manager cgroupfs --events-backend none
        --runroot "$store/state/run" --tmpdir "$store/state/tmp")
if [[ $1 == run ]]; then
    # Limits that podman would raise need a capability that root may lack.
    exec "${podman[@]}" --root "$store/state/root" \
        --storage-opt additionalimagestore="$store/images" \
        run --rm --pull never --cgroups disabled --network host \
        --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 "${@:2}"
fi
exec "${podman[@]}" --root "$store/images" "$@"
