/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_file.h -- telling scripts where the broker listens.
 */
#ifndef ACKD_DAEMON_PORT_FILE_H
#define ACKD_DAEMON_PORT_FILE_H

#include "net/net.h"

/* Writes the addresses, a line each: whoever sees the file sees it whole. */
enum status port_file_write(const char *path, const struct net *net, int count,
                            struct error *error) MUST_USE;
/* So that nobody takes an old one for a new one. Nothing if there is none. */
void port_file_remove(const char *path);

#endif
