/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assert.h -- checks of our own reasoning, left on in release builds.
 *
 * ASSERT is for what only a bug can break, never for bytes from a peer, a disk or a database.
 * ASSERT_SLOW is for checks that cost more than they may in production; meson's `slow-asserts`
 * option turns it on (the tests' builds do).
 */
#ifndef ACKD_BASE_ASSERT_H
#define ACKD_BASE_ASSERT_H

/* Prints the place and the condition to stderr and aborts. */
_Noreturn void assert_failed(const char *condition, const char *file, int line,
                             const char *function);

#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__, __func__))

#ifdef ACKD_SLOW_ASSERTS
#define ASSERT_SLOW(condition) ASSERT(condition)
#else
#define ASSERT_SLOW(condition) ((void)sizeof(condition))
#endif

#endif
