/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h -- the one table of what can go wrong.
 *
 * Every function that can fail returns an `enum status`. The table gives the enum, the texts,
 * the Connect code with its HTTP and gRPC numbers, whether a caller may simply try again, and the
 * label in metrics. Its numbers are those of `ackd.v1.Status` in proto/ackd/v1/common.proto
 * (a unit test holds the two together).
 *
 * Three kinds of trouble, never mixed: a *refusal* (the rules say no: counted, not logged as an
 * error), a *failure* (the world says no: logged once, by the layer that decides what to do), a
 * *bug* (ASSERT).
 *
 * `struct error` carries what a person needs to mend the cause: which field, which limit, what was
 * sent. It lives in the caller's storage, and its texts in a buffer of its own, so that it may be
 * copied and outlive the request.
 */
#ifndef ACKD_BASE_STATUS_H
#define ACKD_BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#define STATUS_TABLE(X)                                                                            \
    /* name, number, Connect code, HTTP, gRPC, retryable, sentence */                              \
    X(OK, 0, "ok", 200, 0, false, "done")                                                          \
    X(MALFORMED, 1, "invalid_argument", 400, 3, false, "the request can't be read")                \
    X(INVALID, 2, "invalid_argument", 400, 3, false, "a field breaks its rule")                    \
    X(TOO_LARGE, 3, "invalid_argument", 413, 3, false, "a size or count is over its limit")        \
    X(QUEUE_NOT_FOUND, 4, "not_found", 404, 5, false, "there is no queue of that name")            \
    X(QUEUE_EXISTS, 5, "already_exists", 409, 6, false,                                            \
      "a queue of that name exists with another config")                                           \
    X(TASK_NOT_FOUND, 6, "not_found", 404, 5, false, "there is no task of that ID in the queue")   \
    X(SESSION_NOT_FOUND, 7, "not_found", 404, 5, false,                                            \
      "the session is unknown: it was closed or has expired; open another")                        \
    X(NOT_FOUND, 8, "not_found", 404, 5, false, "there is no such thing")                          \
    X(LEASE_LOST, 9, "failed_precondition", 400, 9, false, "the lease is not yours any more")      \
    X(WRONG_STATE, 10, "failed_precondition", 400, 9, false,                                       \
      "the task is not in a state that allows this")                                               \
    X(DUPLICATE, 11, "already_exists", 409, 6, false, "a task of this ID was published before")    \
    X(STORE_FULL, 12, "resource_exhausted", 429, 8, true,                                          \
      "the store is nearly full: publish is refused until tasks are done or purged")               \
    X(UNAVAILABLE, 13, "unavailable", 503, 14, true, "the broker can't serve this now; try again") \
    X(TIMEOUT, 14, "deadline_exceeded", 504, 4, true, "the caller's time limit ran out")           \
    X(UNIMPLEMENTED, 15, "unimplemented", 404, 12, false, "there is no such method")               \
    X(INTERNAL, 16, "internal", 500, 13, false, "the broker failed")                               \
    X(CORRUPT, 17, "data_loss", 500, 15, false, "a stored record fails its checksum")              \
    X(LIMIT_REACHED, 18, "resource_exhausted", 429, 8, false,                                      \
      "a count of things kept is at its limit")                                                    \
    X(CANCELED, 19, "canceled", 499, 1, true, "the client gave up")                                \
    X(WRONG_METHOD, 20, "unimplemented", 405, 12, false, "the HTTP method does not fit the path")  \
    X(UNAUTHENTICATED, 21, "unauthenticated", 401, 16, false,                                      \
      "the broker does not know who calls: send a valid token")                                    \
    X(PERMISSION_DENIED, 22, "permission_denied", 403, 7, false,                                   \
      "the caller has no right to do this")                                                        \
    X(RATE_LIMITED, 23, "resource_exhausted", 429, 8, true,                                        \
      "the caller asks more than it may; try again later")

enum status {
#define X(name, number, code, http, grpc, retryable, sentence) STATUS_##name = number,
    STATUS_TABLE(X)
#undef X
        STATUS_COUNT
};

/* A function whose status must be looked at. */
#define MUST_USE __attribute__((warn_unused_result))

/* "LEASE_LOST"; never NULL, also for numbers that are not in the table. */
const char *status_name(enum status status);
/* The sentence of the table, without a full stop. */
const char *status_sentence(enum status status);
/* Connect's code, such as "failed_precondition". */
const char *status_connect_code(enum status status);
int status_http(enum status status);
int status_grpc(enum status status);
bool status_is_retryable(enum status status);
/* Of a number from the wire; false if the table has none such. */
bool status_from_number(int number, enum status *ret_status);

struct error {
    enum status status;
    int64_t limit;          /* in the field's unit; 0: no number applies */
    int64_t value;          /* what was sent */
    int64_t retry_after_ms; /* when its sender wants to be asked again; 0: not said */
    char field[96];         /* path in the request, such as "tasks[3].payload"; may be "" */
    char message[320];      /* one sentence for people, without a full stop */
};

/* No error yet. */
#define ERROR_NONE ((struct error){.status = STATUS_OK})

/* Fills *self and returns `status`, so that a function can end with it. The message is cut to
 * fit; with a NULL format it is the status's sentence. */
enum status error_set(struct error *self, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a broken limit: names the field, the limit and the value. */
enum status error_limit(struct error *self, enum status status, const char *field, int64_t limit,
                        int64_t value, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
