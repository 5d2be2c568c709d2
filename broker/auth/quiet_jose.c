/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quiet_jose.c -- libjose without its habit of printing.
 */
#include "auth/quiet_jose.h"

static void ignore(void *context, const char *file, int line, uint64_t number, const char *format,
                   va_list arguments)
{
    (void)context;
    (void)file;
    (void)line;
    (void)number;
    (void)format;
    (void)arguments;
}

jose_cfg_t *quiet_jose(void)
{
    jose_cfg_t *config = jose_cfg();

    if (config != NULL)
        jose_cfg_set_err_func(config, ignore, NULL);
    return config;
}
