/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leftovers.h -- temporary files and directories that a killed ackctl has left behind.
 *
 * Each is locked (flock) by the process that made it, for as long as that lives. So what nobody
 * holds is of use to nobody, and goes when the next of its kind is made.
 */
#ifndef ACKD_CLI_LEFTOVERS_H
#define ACKD_CLI_LEFTOVERS_H

#include <stdbool.h>

/* Removes the leftovers of this user in `directory` that are called `prefix` and six characters, as
 * mkstemp and mkdtemp name them; directories with the files in them. */
void leftovers_remove(const char *directory, const char *prefix);
/* Locks what was just made and opened as `fd`. False: somebody took it for a leftover before. */
bool leftovers_hold(int fd);
/* Removes a directory, open as `fd`, with the files in it. */
void leftovers_remove_directory(const char *path, int fd);

#endif
