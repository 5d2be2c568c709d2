/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c -- what this process takes from its machine.
 */
#include "rpc/process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t read_resident(void);
static int64_t count_descriptors(void);

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

struct process_usage process_usage(void)
{
    struct rusage usage;
    struct rlimit limit = {0};

    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &limit);
    return (struct process_usage){
        .resident_bytes = read_resident(),
        .cpu_s = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
        .descriptors = count_descriptors(),
        .descriptors_max = (int64_t)limit.rlim_cur,
    };
}

static int64_t read_resident(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long size;
    long resident = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

/* Thousands of connections are as many entries: some hundred nanoseconds each. */
static int64_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int64_t count = 0;

    if (directory == NULL)
        return 0;
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1; /* the directory's own */
}
