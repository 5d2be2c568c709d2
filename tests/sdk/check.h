/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h -- cmocka, after what it wants to be included before it, in this order.
 */
#ifndef ACKD_TESTS_SDK_CHECK_H
#define ACKD_TESTS_SDK_CHECK_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
