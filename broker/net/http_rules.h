/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_rules.h -- what a head must and must not say, beyond its syntax.
 */
#ifndef ACKD_NET_HTTP_RULES_H
#define ACKD_NET_HTTP_RULES_H

#include <llhttp.h>

#include "net/http_request.h"

/* Which field of http_request's table has this name, in any case; -1: none. */
int http_rules_find_field(const char *name, size_t size);
const char *http_rules_field_name(int field);
/* Refuses the request if its head breaks a rule. */
void http_rules_check(struct http_request *request, const llhttp_t *parser);
/* Refuses it for the size of its body. */
void http_rules_refuse_body(struct http_request *request, int64_t body_bytes);

#endif
