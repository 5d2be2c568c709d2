#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# pools.sh -- makes a cluster and its node pools on GKE, each step on its own:
#
#   deploy/gke/pools.sh cluster      the cluster, with a pool of machines that stay, for the broker
#   deploy/gke/pools.sh spot         GPUs on Spot machines
#   deploy/gke/pools.sh on-demand    GPUs on machines that stay
#   deploy/gke/pools.sh flex-start   GPUs of the Dynamic Workload Scheduler, for a limited time
#   deploy/gke/pools.sh bucket       a bucket for checkpoints, that the workers may write to
#
# Says each command before it runs it; with --dry-run it only says them. Names and taints of the
# pools are those of ../kubernetes/components/pools/pools.env; what else may be changed, below.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../kubernetes/components/pools/pools.env
source "$here/../kubernetes/components/pools/pools.env"

: "${CLUSTER:=ackd}"
: "${REGION:=us-central1}"
: "${ZONE:=$REGION-a}"
: "${MACHINE:=g2-standard-8}"
: "${GPU:=type=nvidia-l4,count=1,gpu-driver-version=latest}"
: "${MAX_NODES:=20}"
: "${BUCKET:=ackd-checkpoints}"

say=
run() {
    printf '%q ' "$@"
    printf '\n'
    [[ -n $say ]] || "$@"
}

# A pool of GPU machines that grows from none: gpu_pool NAME TAINT [flag...]
gpu_pool() {
    local taint=()
    [[ -z $2 ]] || taint=(--node-taints "$2=$TAINT_VALUE:$TAINT_EFFECT")
    run gcloud container node-pools create "$1" --cluster "$CLUSTER" --location "$REGION" \
        --node-locations "$ZONE" --machine-type "$MACHINE" --accelerator "$GPU" \
        --num-nodes 0 --enable-autoscaling --total-min-nodes 0 --total-max-nodes "$MAX_NODES" \
        "${taint[@]}" "${@:3}"
}

# Dataplane V2 enforces the NetworkPolicies; the add-on mounts buckets.
make_cluster() {
    run gcloud container clusters create "$CLUSTER" --location "$REGION" \
        --node-locations "$ZONE" --release-channel regular --enable-dataplane-v2 \
        --workload-pool "$(project).svc.id.goog" --addons GcsFuseCsiDriver \
        --machine-type e2-standard-4 --num-nodes 1
}

# The kubelet gives a Spot machine's pods 15 s. From control plane 1.35.0-gke.1171000 on it may be up
# to 120 s, of which the last 15 go to the system's pods; then --grace-ms of the workers may grow to
# 90000, and their terminationGracePeriodSeconds to 105.
make_spot() {
    local config=()
    if [[ -n ${SHUTDOWN_GRACE_S:-} ]]; then
        local file
        file=$(mktemp)
        printf 'kubeletConfig:\n  shutdownGracePeriodSeconds: %d\n  shutdownGracePeriodCriticalPodsSeconds: 15\n' \
            "$SHUTDOWN_GRACE_S" >"$file"
        config=(--system-config-from-file "$file")
    fi
    gpu_pool "$SPOT_POOL" "$SPOT_TAINT_KEY" --spot "${config[@]}"
}

make_on_demand() {
    gpu_pool "$ON_DEMAND_POOL" ""
}

make_flex_start() {
    gpu_pool "$FLEX_START_POOL" "$FLEX_START_TAINT_KEY" --flex-start \
        --max-run-duration "$((FLEX_START_MAX_RUN_MS / 1000))s" --reservation-affinity none \
        --no-enable-autorepair --location-policy ANY
}

make_bucket() {
    run gcloud storage buckets create "gs://$BUCKET" --location "$REGION" \
        --uniform-bucket-level-access
    run gcloud storage buckets add-iam-policy-binding "gs://$BUCKET" \
        --role roles/storage.objectUser --member \
        "principal://iam.googleapis.com/projects/$(project_number)/locations/global/workloadIdentityPools/$(project).svc.id.goog/subject/ns/ackd/sa/ackd-worker"
}

project() {
    echo "${PROJECT:-$(gcloud config get-value project)}"
}

project_number() {
    echo "${PROJECT_NUMBER:-$(gcloud projects describe "$(project)" --format 'value(projectNumber)')}"
}

[[ ${1:-} == --dry-run ]] && say=only && shift
case ${1:-} in
cluster) make_cluster ;;
spot) make_spot ;;
on-demand) make_on_demand ;;
flex-start) make_flex_start ;;
bucket) make_bucket ;;
*)
    sed -n '4,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
