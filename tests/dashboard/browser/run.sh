#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh BUILD_DIR -- the dashboard in a real browser, against a real broker.
#
# playwright-core goes below BUILD_DIR and is kept there: a second run needs no network. Pictures of
# what was tested are in BUILD_DIR/tests/dashboard/screenshots.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
build=$(cd "$1" && pwd)
work=$build/tests/dashboard/browser
mkdir -p "$work" "$build/tests/dashboard/screenshots"

ACKD_CHROMIUM=${ACKD_CHROMIUM:-$(command -v chromium || true)}
if [ -z "$ACKD_CHROMIUM" ]; then
    echo "there is no chromium: the dashboard is not tried in a browser"
    exit 77
fi
export ACKD_CHROMIUM

if ! cmp -s "$here/package-lock.json" "$work/installed-lock.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$work/"
    (cd "$work" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
    cp "$here/package-lock.json" "$work/installed-lock.json"
fi
cp "$here"/*.mjs "$work/"

cd "$work"
export ACKD_BUILD_DIR="$build"
exec /usr/bin/python3 "$root/tests/support/with_broker.py" \
    node --test --test-concurrency=2 --test-reporter=tap crowd.test.mjs login.test.mjs \
    operate.test.mjs people.test.mjs strangers.test.mjs
