/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.h -- what the faces count of themselves: requests by method and status, traffic.
 *
 * Any thread adds, any thread reads; each number is exact, a reading of several is not one
 * instant. Made before service and rpc, since both report from it.
 */
#ifndef ACKD_RPC_COUNTERS_H
#define ACKD_RPC_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/method.h"

/* Gauges go up and down, totals only up. */
#define TRAFFIC_TABLE(X)                                                                           \
    /* field, metric, type, text */                                                                \
    X(in_flight, "ackd_requests_in_flight", "gauge", "Requests being served now")                  \
    X(request_bytes, "ackd_request_memory_bytes", "gauge",                                         \
      "Memory of the requests being read and served")                                              \
    X(reply_bytes, "ackd_reply_memory_bytes", "gauge",                                             \
      "Memory of replies that their clients have not taken")                                       \
    X(replies_dropped, "ackd_replies_dropped_total", "counter",                                    \
      "Replies dropped, not taken at once while many others were held")                            \
    X(connections, "ackd_connections", "gauge", "Connections open now")                            \
    X(connections_accepted, "ackd_connections_accepted_total", "counter", "Connections accepted")  \
    X(connections_refused, "ackd_connections_refused_total", "counter",                            \
      "Connections refused because too many were open")                                            \
    X(handshakes_now, "ackd_tls_handshakes", "gauge", "TLS handshakes under way now")              \
    X(handshakes, "ackd_tls_handshakes_total", "counter", "TLS handshakes begun")                  \
    X(handshakes_failed, "ackd_tls_handshakes_failed_total", "counter",                            \
      "TLS handshakes that came to nothing")                                                       \
    X(certificate_expires_s, "ackd_tls_certificate_expiry_timestamp_seconds", "gauge",             \
      "When the broker's certificate expires, in Unix time; 0 without TLS")                        \
    X(http_refused, "ackd_http_refused_total", "counter",                                          \
      "Requests refused for their HTTP, before any method was looked up")                          \
    X(logins_refused, "ackd_logins_refused_total", "counter",                                      \
      "Requests of callers that could not be known")                                               \
    X(audit_lost, "ackd_audit_lost_total", "counter",                                              \
      "Lines of the audit log that could not be written")                                          \
    X(received_bytes, "ackd_received_bytes_total", "counter", "Bytes read from sockets")           \
    X(sent_bytes, "ackd_sent_bytes_total", "counter", "Bytes written to sockets")

/* Where more was asked for than there may be: the values of ackd_limited_total's label. */
#define LIMITED_TABLE(X)                                                                           \
    X(connections)                                                                                 \
    X(connections_per_address)                                                                     \
    X(requests_per_second)                                                                         \
    X(bytes_per_second)                                                                            \
    X(requests_per_caller)                                                                         \
    X(waiters_per_caller)                                                                          \
    X(request_memory)

enum limited {
#define X(name) LIMITED_##name,
    LIMITED_TABLE(X)
#undef X
        LIMITED_COUNT
};

struct counters {
    /* The last row is for paths that are no method. */
    _Atomic int64_t requests[METHOD_COUNT + 1][STATUS_COUNT];
#define X(field, metric, type, text) _Atomic int64_t field;
    TRAFFIC_TABLE(X)
#undef X
    _Atomic int64_t limited[LIMITED_COUNT];
};

/* "requests_per_second". */
const char *limited_name(enum limited limited);

static inline void counter_add(_Atomic int64_t *counter, int64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static inline int64_t counter_get(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

struct face_stats;
void counters_sum(const struct counters *self, struct face_stats *ret);

#endif
