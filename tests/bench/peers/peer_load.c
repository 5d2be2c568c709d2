/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_load.c -- drives one kind of work against another broker that runs on this machine, and
 * prints what came of it as JSON. compare.py starts it, and the brokers.
 *
 *   peer_load PEER PORT WORK [--payload N] [--batch N] [--connections N] [--time MS] [--tasks N]
 *             [--rate N]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "work.h"

static const struct peer *const peers[] = {&peer_beanstalkd, &peer_redis, &peer_nats};

static const struct peer *find_peer(const char *name)
{
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
        if (strcmp(peers[i]->name, name) == 0)
            return peers[i];
    return NULL;
}

static const struct work_kind *find_work(const char *name)
{
    for (const struct work_kind *kind = work_kinds; kind->name != NULL; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

static bool read_options(struct work *work, int argc, char **argv)
{
    static const struct option options[] = {{"payload", required_argument, NULL, 'p'},
                                            {"batch", required_argument, NULL, 'b'},
                                            {"connections", required_argument, NULL, 'c'},
                                            {"time", required_argument, NULL, 't'},
                                            {"tasks", required_argument, NULL, 'n'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        long long value = letter == '?' ? 0 : strtoll(optarg, NULL, 10);

        if (value <= 0)
            return false;
        switch (letter) {
        case 'p':
            work->payload_bytes = (size_t)value;
            break;
        case 'b':
            work->batch = (size_t)value;
            break;
        case 'c':
            work->connections = (size_t)value;
            break;
        case 't':
            work->time_ns = value * 1000000;
            break;
        case 'n':
            work->tasks = value;
            break;
        default:
            work->rate = value;
            break;
        }
    }
    return true;
}

static void print(const struct work *work)
{
    struct rusage usage;
    double seconds = (double)work->took_ns / 1e9;

    getrusage(RUSAGE_SELF, &usage);
    printf("{\"tasks\":%lld,\"seconds\":%.4f,\"ratePerS\":%.1f,\"p50Us\":%.1f,\"p99Us\":%.1f,"
           "\"clientCpuS\":%.3f}\n",
           (long long)work->done, seconds, (double)work->done / seconds,
           (double)histogram_percentile_ns(&work->latencies, 0.5) / 1e3,
           (double)histogram_percentile_ns(&work->latencies, 0.99) / 1e3,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv)
{
    static struct work work = {.payload_bytes = 256,
                               .batch = 1000,
                               .connections = 4,
                               .time_ns = 3000000000,
                               .tasks = 1000000,
                               .rate = 500};
    const struct work_kind *kind = argc < 4 ? NULL : find_work(argv[3]);
    uint8_t *payload;

    if (kind != NULL)
        work.peer = find_peer(argv[1]);
    if (work.peer == NULL || !read_options(&work, argc - 3, argv + 3)) {
        fprintf(stderr, "usage: peer_load PEER PORT WORK [--payload N] [--batch N] "
                        "[--connections N] [--time MS] [--tasks N] [--rate N]\n");
        return 2;
    }
    work.port = atoi(argv[2]);
    payload = malloc(work.payload_bytes);
    if (payload == NULL)
        return 1;
    memset(payload, 'x', work.payload_bytes);
    work.payload = slice_of(payload, work.payload_bytes);
    if (!kind->run(&work))
        return 1;
    clients_close(&work.clients);
    free(payload);
    print(&work);
    return 0;
}
