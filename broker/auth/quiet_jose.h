/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quiet_jose.h -- libjose without its habit of printing what it did not like.
 */
#ifndef ACKD_AUTH_QUIET_JOSE_H
#define ACKD_AUTH_QUIET_JOSE_H

#include <jose/cfg.h>

/* For one call of libjose and one thread, since its count is no atomic one; jose_cfg_auto ends it.
 * NULL: no memory, and libjose would print. */
jose_cfg_t *quiet_jose(void);

#endif
