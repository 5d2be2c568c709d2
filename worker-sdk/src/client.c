/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c -- the client itself, and the call that can do every call.
 *
 * A client is a transport; its typed calls are in client_*.c, a file for each thing they are about,
 * all made by the helpers of call.h.
 */
#include "ackd/client.h"

#include <stdlib.h>
#include <string.h>

#include "client_internal.h"
#include "error_export.h"
#include "options.h"

#define METHOD_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/"

enum ackd_status ackd_client_open(const struct ackd_client_options *options,
                                  struct ackd_client **ret_client, struct ackd_error *error)
{
    struct ackd_client_options own;
    struct transport_options transport_options = {0};
    struct error failure = ERROR_NONE;
    struct ackd_client *client;

    *ret_client = NULL;
    if (!options_copy(&own, sizeof own, options))
        return error_export_field(error, "size", "options.size must be sizeof its struct");
    client = calloc(1, sizeof *client);
    if (client == NULL)
        return ackd_error_set(error, ACKD_INTERNAL, "no memory for a client");
    transport_options.url = own.url;
    transport_options.user_agent = own.user_agent;
    transport_options.connect_timeout_ms = own.connect_timeout_ms;
    transport_options.timeout_ms = own.timeout_ms;
    transport_options.token_file = own.token_file;
    transport_options.ca_file = own.ca_file;
    transport_options.cert_file = own.cert_file;
    transport_options.key_file = own.key_file;
    transport_options.insecure = own.insecure;
    client->timeout_ms = own.timeout_ms > 0 ? own.timeout_ms : TRANSPORT_TIMEOUT_MS;
    if (transport_open(&transport_options, &client->transport, &failure) == STATUS_OK)
        *ret_client = client;
    else
        free(client);
    return error_export(error, &failure);
}

void ackd_client_close(struct ackd_client *client)
{
    if (client == NULL)
        return;
    transport_close(client->transport);
    free(client);
}

void ackd_client_interrupt(struct ackd_client *client)
{
    transport_interrupt(client->transport);
}

enum ackd_status ackd_client_call_json(struct ackd_client *client, const char *method,
                                       const char *request, char **ret_reply,
                                       struct ackd_error *error)
{
    struct buffer reply = BUFFER_EMPTY;
    struct error failure = ERROR_NONE;

    *ret_reply = NULL;
    if (method[strspn(method, METHOD_CHARACTERS)] != '\0') /* it becomes part of a URL */
        return ackd_error_set(error, ACKD_UNIMPLEMENTED, "there is no such method");
    if (transport_call_json(client->transport, method,
                            slice_of_string(request != NULL ? request : "{}"), 0, &reply,
                            &failure) == STATUS_OK) {
        *ret_reply = strdup(buffer_string(&reply));
        if (*ret_reply == NULL || reply.failed)
            (void)error_set(&failure, STATUS_INTERNAL, "no memory for the reply");
    }
    buffer_deinit(&reply);
    return error_export(error, &failure);
}
