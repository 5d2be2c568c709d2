#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# secrets.sh DIR -- what a broker needs to be reached safely: a CA of its own (ca.crt, ca.key), a
# certificate for its names in the cluster (tls.crt, tls.key; two years), and the operator's token
# (token). What is there already is kept; delete tls.crt to renew it. More names: NAMES=DNS:...,IP:...
#
# All is made in a folder beside it and takes its name once it is whole: a run that fails leaves
# nothing that the next would keep.
set -euo pipefail
(($# == 1)) || { sed -n '4,6s/^# //p' "$0" >&2; exit 2; }
: "${NAMES:=DNS:ackd,DNS:ackd.ackd,DNS:ackd.ackd.svc,DNS:localhost,IP:127.0.0.1}"
umask 077
mkdir -p "$1"
cd "$1"
made=$(mktemp -d ./made.XXXXXX)
trap 'rm -rf "$made"' EXIT

# openssl talks even where all is well: it is heard only where it fails.
run_openssl() {
    local said
    said=$(openssl "$@" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
}

key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
if [[ ! -e ca.crt ]]; then
    run_openssl req -x509 "${key[@]}" -keyout "$made/ca.key" -out "$made/ca.crt" -days 3650 \
        -subj "/CN=ackd CA" -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,keyCertSign
    mv "$made/ca.key" ca.key
    mv "$made/ca.crt" ca.crt
fi
if [[ ! -e tls.crt ]]; then
    run_openssl req "${key[@]}" -keyout "$made/tls.key" -out "$made/tls.csr" -subj "/CN=ackd"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$NAMES" >"$made/tls.ext"
    run_openssl x509 -req -in "$made/tls.csr" -CA ca.crt -CAkey ca.key -CAcreateserial \
        -CAserial "$made/ca.srl" -days 730 -extfile "$made/tls.ext" -out "$made/tls.crt"
    mv "$made/tls.key" tls.key
    mv "$made/tls.crt" tls.crt
fi
if [[ ! -e token ]]; then
    "${ACKCTL:-ackctl}" token generate >"$made/token"
    mv "$made/token" token
fi
