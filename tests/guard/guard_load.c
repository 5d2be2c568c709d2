/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard_load.c -- the program that guard.py runs under callgrind.
 *
 *   guard_load                      lists the workloads: name, tab, text
 *   guard_load WORKLOAD DIRECTORY   runs one on an empty store there; prints the tasks counted
 */
#include <stdio.h>
#include <string.h>

#include "workload.h"

static void list(void)
{
    for (const struct workload *workload = workloads; workload->name != NULL; workload++)
        printf("%s\t%s\n", workload->name, workload->text);
}

static const struct workload *find(const char *name)
{
    const struct workload *workload = workloads;

    while (workload->name != NULL && strcmp(workload->name, name) != 0)
        workload++;
    if (workload->name == NULL)
        die("there is no workload '%s'", name);
    return workload;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        list();
    else if (argc == 3)
        printf("%zu\n", workload_run(find(argv[1]), argv[2]));
    else
        die("usage: guard_load [WORKLOAD DIRECTORY]");
    return 0;
}
