#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# secrets.sh DIR -- what a broker needs to be reached safely: a CA of its own (ca.crt, ca.key), a
# certificate for its names in the cluster (tls.crt, tls.key; two years), and the operator's token
# (token). What is there already is kept; delete tls.crt to renew it. More names: NAMES=DNS:...,IP:...
set -euo pipefail
(($# == 1)) || { sed -n '4,6s/^# //p' "$0" >&2; exit 2; }
: "${NAMES:=DNS:ackd,DNS:ackd.ackd,DNS:ackd.ackd.svc,DNS:localhost,IP:127.0.0.1}"
umask 077
mkdir -p "$1"
cd "$1"

key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
[[ -e ca.crt ]] ||
    openssl req -x509 "${key[@]}" -keyout ca.key -out ca.crt -days 3650 -subj "/CN=ackd CA" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
if [[ ! -e tls.crt ]]; then
    openssl req "${key[@]}" -keyout tls.key -out tls.csr -subj "/CN=ackd" 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$NAMES" >tls.ext
    openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 730 \
        -extfile tls.ext -out tls.crt 2>/dev/null
    rm -f tls.csr tls.ext ca.srl
fi
[[ -e token ]] || "${ACKCTL:-ackctl}" token generate >token
