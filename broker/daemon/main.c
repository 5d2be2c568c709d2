/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c -- ackd: parse, build, run, stop.
 *
 * The main thread only waits for signals: SIGTERM or SIGINT once to stop in order, twice to stop
 * at once. Exit 0: stopped in order; 1: could not start, storage failed, or stopped at once; 2:
 * wrong flags. With --check: 0 if all is well, else 1.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "codec/codec.h"
#include "daemon/broker.h"
#include "daemon/check.h"
#include "daemon/port_file.h"
#include "daemon/signals.h"

#define REFRESH_MS 2000 /* how often files that may change are looked at */

enum { EXIT_STOPPED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int run(const struct config *config);
static int check(const struct config *config);

int main(int argc, char **argv)
{
    static struct config config; /* has what it owns for as long as the process lives */
    struct error error = ERROR_NONE;
    enum config_wish wish;

    if (config_read(&config, argc, argv, &wish, &error) != STATUS_OK) {
        fprintf(stderr, "ackd: %s\nTry: ackd --help\n", error.message);
        return EXIT_USAGE;
    }
    if (wish == CONFIG_VERSION) {
        puts("ackd " ACKD_VERSION);
        return EXIT_STOPPED;
    }
    if (wish == CONFIG_HELP) {
        config_print_help(stdout);
        return EXIT_STOPPED;
    }
    return wish == CONFIG_CHECK ? check(&config) : run(&config);
}

/* A descriptor a connection: as many as the machine's administrator allows. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static enum status start(struct broker *broker, const struct config *config, struct error *error)
{
    enum status status;

    port_file_remove(config->port_file); /* an older broker's */
    status = broker_open(broker, config, ACKD_VERSION, error);
    if (status != STATUS_OK || *config->port_file == '\0')
        return status;
    status = port_file_write(config->port_file, broker->net, config->listen.count, error);
    if (status != STATUS_OK)
        broker_close(broker);
    return status;
}

/* Until a signal says to stop. Wakes up for nothing but a signal where there is no file to look at.
 */
static void serve(struct broker *broker, int signals_fd)
{
    int number = 0;

    while (number == 0 || number == SIGHUP) {
        number = signals_next(signals_fd, broker_refreshes(broker) ? REFRESH_MS : -1);
        if (number == 0 || number == SIGHUP)
            broker_refresh(broker, number == SIGHUP);
    }
}

/* Lets requests in flight end. Another signal means: now. */
static void drain(struct broker *broker, int signals_fd)
{
    broker_drain(broker);
    LOG_INFO("stopping", LOG_INT("connections", net_connection_count(broker->net)));
    if (signals_wait(signals_fd, net_drained_fd(broker->net), broker->config->stop_timeout_ms) == 0)
        return;
    LOG_WARN("stopped_at_once", LOG_STRING("reason", "a second signal"));
    _exit(EXIT_FAILED);
}

/* So that nobody who chooses names can choose which of them collide. */
static void seed_hashes(void)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed)
        hash_seed(seed);
}

static int run(const struct config *config)
{
    struct error error = ERROR_NONE;
    struct broker broker;
    int signals_fd;

    log_setup((enum log_level)config->log_level, (enum log_format)config->log_format);
    raise_descriptor_limit();
    seed_hashes();
    signals_fd = signals_setup();
    codec_bound_json_memory();
    if (start(&broker, config, &error) != STATUS_OK) {
        LOG_ERROR("start_failed", LOG_STRING("reason", error.message));
        return EXIT_FAILED;
    }
    for (int i = 0; i < config->listen.count; i++)
        LOG_INFO("listening", LOG_STRING("address", net_address(broker.net, i)),
                 LOG_STRING("version", ACKD_VERSION), LOG_INT("pid", getpid()));

    serve(&broker, signals_fd);
    drain(&broker, signals_fd);
    broker_close(&broker);
    port_file_remove(config->port_file);
    LOG_INFO("stopped", LOG_INT("pid", getpid()));
    return EXIT_STOPPED;
}

static int check(const struct config *config)
{
    struct error error = ERROR_NONE;
    int64_t records;
    int64_t problems;

    log_setup((enum log_level)config->log_level, (enum log_format)config->log_format);
    if (check_directory(config, stdout, &records, &problems, &error) != STATUS_OK) {
        fprintf(stderr, "ackd: %s\n", error.message);
        return EXIT_FAILED;
    }
    printf("%" PRId64 " records read, %" PRId64 " problems\n", records, problems);
    return problems > 0 ? EXIT_FAILED : EXIT_STOPPED;
}
