#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# archive.sh LD OBJCOPY AR OUT WHOLE-ARCHIVE... -- ARCHIVE...
#
# Makes the static library: one object of all its parts, whose hidden symbols are made local, so that a
# program linked with it may have functions of its own named buffer_append or arena_init.
set -eu
ld=$1 objcopy=$2 ar=$3 out=$4
shift 4
whole=
while [ "$1" != -- ]; do
    whole="$whole $1"
    shift
done
shift
object=$(dirname "$out")/ackd-whole.o
# shellcheck disable=SC2086 # build paths, without blanks
"$ld" -r -o "$object" --whole-archive $whole --no-whole-archive --start-group "$@" --end-group
"$objcopy" --localize-hidden "$object"
rm -f "$out"
"$ar" rcsD "$out" "$object"
rm -f "$object"
