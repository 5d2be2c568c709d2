/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.h -- one transfer of libcurl's, driven on the calling thread until it ends or nobody
 * waits for it any more.
 */
#ifndef ACKD_SDK_TRANSFER_H
#define ACKD_SDK_TRANSFER_H

#include <curl/curl.h>
#include <stdatomic.h>

#define TRANSFER_LOOK_MS 1000 /* at most between two looks at a transfer */

/* Drives the one transfer of `multi` to its end. CURLE_ABORTED_BY_CALLBACK: `interrupted` is set;
 * who sets it wakes the multi handle. */
CURLcode transfer_drive(CURLM *multi, const atomic_bool *interrupted);

#endif
