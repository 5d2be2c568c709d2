#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh BUILD_DIR -- every object that deploy/kubernetes renders, against the schemas of its kind.
#
# What npm installs goes below BUILD_DIR, and is kept there: a second run needs no network.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kubernetes=$(cd "$here/../../../deploy/kubernetes" && pwd)
work=$(cd "$1" && pwd)/tests/deploy/schemas
mkdir -p "$work"

if ! kubectl version --client -o json 2>/dev/null | grep -q kustomizeVersion; then
    echo "1..0 # SKIP no kubectl of 1.24 or later is here"
    exit 0
fi
if ! cmp -s "$here/package-lock.json" "$work/installed-lock.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$work/"
    (cd "$work" && npm ci --no-audit --no-fund --loglevel=error)
    cp "$here/package-lock.json" "$work/installed-lock.json"
fi
cp "$here"/*.mjs "$work/"

rm -rf "$work/rendered"
mkdir "$work/rendered"
for root in "$kubernetes"/broker "$kubernetes"/worker "$kubernetes"/overlays/*; do
    kubectl kustomize "$root" >"$work/rendered/$(basename "$(dirname "$root")")-$(basename "$root").yaml"
done
# The schemas are JavaScript, and Node reads no YAML.
/usr/bin/python3 - "$work/rendered" <<'END'
import json, pathlib, sys, yaml
for each in pathlib.Path(sys.argv[1]).glob("*.yaml"):
    objects = [one for one in yaml.safe_load_all(each.read_text()) if one]
    each.with_suffix(".json").write_text(json.dumps(objects))
END
cd "$work"
exec node --test --test-reporter=tap schemas.test.mjs
