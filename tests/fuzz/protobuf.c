/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf.c -- one message of any method, in protobuf, to a broker with a bit of everything.
 *
 * Input: which method (1 byte), then the message. The invariants are the rig's (rig.h), and
 *
 *   F1  whatever the message was, the broker serves the next one.
 */
#include "fuzz.h"
#include "script.h"

/* Tasks in every state, leases with and without a session, a dead letter, a result, a checkpoint,
 * a dataset, a waiting client. Time stands still, so tokens and sessions are the same each time. */
static const char before[] =
    "QueueService/Create {\"name\":\"q\",\"config\":{\"maxFailures\":1}}\n"
    "QueueService/Create {\"name\":\"r\"}\n"
    "TaskService/Publish {\"queue\":\"q\",\"dataset\":\"set\",\"tasks\":[{\"taskId\":\"a\"},"
    "{\"taskId\":\"b\",\"payload\":\"AAAA\",\"attributes\":{\"k\":\"v\"}},{\"taskId\":\"c\"},"
    "{\"taskId\":\"d\"},{\"taskId\":\"e\",\"delayMs\":9000},{\"priority\":3}]}\n"
    "SessionService/Open {\"queue\":\"q\",\"worker\":\"w\"}\n"
    "TaskService/Lease {\"queue\":\"q\",\"maxTasks\":3}\n"
    "TaskService/Lease {\"queue\":\"q\",\"maxTasks\":1,\"sessionId\":\"%a\"}\n"
    "TaskService/Ack {\"items\":[{\"leaseToken\":\"$a\",\"result\":\"cmVzdWx0\"}]}\n"
    "TaskService/Nack {\"items\":[{\"leaseToken\":\"$b\",\"reason\":\"NACK_REASON_FAILED\"}]}\n"
    "TaskService/SaveCheckpoint {\"leaseToken\":\"$c\",\"data\":\"AAAA\"}\n"
    "TaskService/Lease {\"queue\":\"r\",\"waitMs\":60000}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool bounded;
    struct slice input = slice_of(data, size);
    enum method_number method = (enum method_number)(take_u8(&input) % METHOD_COUNT);
    struct rig *rig;

    if (!bounded)
        codec_bound_json_memory();
    bounded = true;
    rig = rig_open();
    script_run(rig, slice_of_string(before));
    CHECK(rig->token_count == 4 && rig->session_count == 1);
    rig_ask(rig, "POST", slice_of_string(method_at(method)->path), "application/proto", input);
    CHECK(rig_ask(rig, "POST", slice_of_string("/ackd.v1.QueueService/List"), "application/proto",
                  SLICE_EMPTY)
              ->request.http_status == 200); /* F1 */
    rig_close(rig);
    return 0;
}
