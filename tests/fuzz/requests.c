/* SPDX-License-Identifier: Apache-2.0 */
/*
 * requests.c -- all methods and pages of a broker, one after the other, and time between them.
 *
 * Input: a script (script.h). The invariants are the rig's (rig.h): G1, G2, G3.
 */
#include "fuzz.h"
#include "script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool bounded;
    struct rig *rig;

    if (!bounded)
        codec_bound_json_memory();
    bounded = true;
    rig = rig_open();
    script_run(rig, slice_of(data, size));
    rig_close(rig);
    return 0;
}
