/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ackd/version.h -- which libackd this is, and how its functions are exported.
 *
 * Until 1.0 the second number grows with every change that old programs notice; the shared
 * library's name (libackd.so.0) changes with it then.
 */
#ifndef ACKD_VERSION_H
#define ACKD_VERSION_H

#define ACKD_VERSION_MAJOR 0
#define ACKD_VERSION_MINOR 1
#define ACKD_VERSION_PATCH 0
#define ACKD_VERSION "0.1.0"

/* Before each function that libackd exports; everything else in it is hidden. */
#define ACKD_API __attribute__((visibility("default")))

/* Checks the arguments of the functions that take a printf format. */
#define ACKD_PRINTF(format_index, first_index)                                                     \
    __attribute__((format(printf, format_index, first_index)))

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that the program runs with, such as "0.1.0". Never fails; any
 * thread. */
ACKD_API const char *ackd_version(void);

#ifdef __cplusplus
}
#endif
#endif
