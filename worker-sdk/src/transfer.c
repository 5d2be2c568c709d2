/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.c -- see transfer.h.
 */
#include "transfer.h"

CURLcode transfer_drive(CURLM *multi, const atomic_bool *interrupted)
{
    for (;;) {
        int running = 0;
        int waiting = 0;
        CURLMsg *message;

        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return CURLE_FAILED_INIT;
        message = curl_multi_info_read(multi, &waiting);
        if (message != NULL && message->msg == CURLMSG_DONE)
            return message->data.result;
        if (atomic_load(interrupted))
            return CURLE_ABORTED_BY_CALLBACK;
        if (curl_multi_poll(multi, NULL, 0, TRANSFER_LOOK_MS, NULL) != CURLM_OK)
            return CURLE_FAILED_INIT;
    }
}
