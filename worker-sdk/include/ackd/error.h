/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ackd/error.h -- how every call of libackd says what happened.
 *
 * A function that can fail returns an `enum ackd_status`, and takes a `struct ackd_error *` as its
 * last argument, which may be NULL. On anything but ACKD_OK that struct holds the sentence for
 * people; on ACKD_OK it is emptied. It owns no memory: it may be copied, kept and thrown away.
 *
 * A lost connection means *unknown*, never *failed*: the broker may have carried the call out
 * before the reply was lost. Then `no_reply` is true. Publishing with the same task IDs, and acking
 * with the same token, may be repeated safely.
 */
#ifndef ACKD_ERROR_H
#define ACKD_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "ackd/version.h"

/* The numbers are those of `ackd.v1.Status` on the wire; they never change. */
enum ackd_status {
    ACKD_OK = 0,
    ACKD_MALFORMED = 1,          /* the request (or the reply) can't be read */
    ACKD_INVALID = 2,            /* an argument or field breaks its rule; mend the caller */
    ACKD_TOO_LARGE = 3,          /* a size or count is over its limit */
    ACKD_QUEUE_NOT_FOUND = 4,    /* no queue of that name: make it, or mend the name */
    ACKD_QUEUE_EXISTS = 5,       /* a queue of that name exists with another config */
    ACKD_TASK_NOT_FOUND = 6,     /* no task of that ID in the queue */
    ACKD_SESSION_NOT_FOUND = 7,  /* the session was closed or has expired: open another */
    ACKD_NOT_FOUND = 8,          /* no such result, dataset or dead letter */
    ACKD_LEASE_LOST = 9,         /* the lease is not yours any more: drop the work */
    ACKD_WRONG_STATE = 10,       /* the thing exists, but not in a state that allows this */
    ACKD_DUPLICATE = 11,         /* published before: a success for whoever repeats a publish */
    ACKD_STORE_FULL = 12,        /* the broker's store is nearly full: publish later */
    ACKD_UNAVAILABLE = 13,       /* not reached, starting or draining: try again */
    ACKD_TIMEOUT = 14,           /* the time limit ran out first: try again */
    ACKD_UNIMPLEMENTED = 15,     /* this broker or this build of the library can't do that */
    ACKD_INTERNAL = 16,          /* a fault of the broker, or no memory here */
    ACKD_CORRUPT = 17,           /* a stored record fails its checksum */
    ACKD_LIMIT_REACHED = 18,     /* a count of things kept is at its limit */
    ACKD_CANCELED = 19,          /* cut short by this side */
    ACKD_WRONG_METHOD = 20,      /* never seen by users of libackd */
    ACKD_UNAUTHENTICATED = 21,   /* no token, or none that the broker takes: mend the token */
    ACKD_PERMISSION_DENIED = 22, /* the token lacks a right on the queue */
    ACKD_RATE_LIMITED = 23       /* more than the caller may ask for: try again later */
};

struct ackd_error {
    enum ackd_status status;
    bool no_reply; /* no answer came: whether the call was carried out is unknown */
    int64_t limit; /* the broken limit in the field's unit; 0: no number applies */
    int64_t value; /* what was sent instead, in the same unit */
    /* When the broker wants to be asked again, at most a minute; 0: it does not say. */
    int64_t retry_after_ms;
    char field[96];    /* path of the offending field, such as "tasks[3].payload"; may be "" */
    char message[320]; /* one sentence, without a full stop; "" with ACKD_OK */
};

#ifdef __cplusplus
extern "C" {
#endif

/* The general sentence for a status, such as "the lease is not yours any more"; never NULL, also
 * for numbers that are not in the enum. Any thread. */
ACKD_API const char *ackd_status_text(enum ackd_status status);

/* The name of a status, such as "LEASE_LOST"; never NULL. Any thread. */
ACKD_API const char *ackd_status_name(enum ackd_status status);

/* Whether the same call may simply be tried again after a moment. Any thread. */
ACKD_API bool ackd_status_is_retryable(enum ackd_status status);

/*
 * Fills *error (nothing if NULL) and returns `status`, so that a function, such as one of your own
 * sink, can end with it. The message is cut to fit. Any thread.
 */
ACKD_API enum ackd_status ackd_error_set(struct ackd_error *error, enum ackd_status status,
                                         const char *format, ...) ACKD_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
