#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh BUILD_DIR -- ackd as a real Connect client sees it.
#
# Everything that npm installs and protoc generates goes below BUILD_DIR, and is kept there: a
# second run needs no network.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
build=$(cd "$1" && pwd)
work=$build/tests/wire/connect
mkdir -p "$work/gen"

if ! cmp -s "$here/package-lock.json" "$work/installed-lock.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$work/"
    (cd "$work" && npm ci --no-audit --no-fund --loglevel=error)
    cp "$here/package-lock.json" "$work/installed-lock.json"
fi
cp "$here"/*.mjs "$work/"
protoc -I "$root/proto" --es_out="$work/gen" --es_opt=target=js,import_extension=js \
    --plugin=protoc-gen-es="$work/node_modules/.bin/protoc-gen-es" \
    "$root"/proto/ackd/v1/*.proto

cd "$work"
export ACKD_BUILD_DIR="$build"
exec /usr/bin/python3 "$root/tests/support/with_broker.py" \
    node --test --test-reporter=tap client.test.mjs
