/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrecy.h -- what is in the process's memory stays there.
 */
#ifndef ACKD_DAEMON_SECRECY_H
#define ACKD_DAEMON_SECRECY_H

/* No core file of this process, and no debugger in it but root's. */
void secrecy_begin(void);

#endif
