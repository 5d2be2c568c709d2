/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.c -- the broker that is measured.
 */
#include "cli/bench/target.h"

#include <errno.h>
#include <ftw.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ackd/v1/admin.pb-c.h"
#include "cli/broker.h"
#include "cli/interrupt.h"
#include "cli/url.h"
#include "transport.h"

#define START_NS INT64_C(60000000000) /* the longest a broker may take to listen */
#define STOP_NS INT64_C(15000000000)
#define POLL_MS 1

static enum exit_code resolve(struct target *self);
static bool ask_metrics(struct target *self, struct target_sample *sample);

enum exit_code target_open(struct target *self, struct cli *cli)
{
    enum exit_code code = EXIT_OK;

    *self = (struct target){.cli = cli};
    interrupt_watch();
    if (!cli_given(cli, "spawn"))
        return resolve(self);
    code = target_make_directory(self);
    return code == EXIT_OK ? target_start(self) : code;
}

/* Waits for the child's end; false if it goes on. */
static bool wait_child(struct target *self, int64_t patience_ns)
{
    struct timespec pause = {.tv_nsec = POLL_MS * INT64_C(1000000)};
    int64_t until_ns = monotonic_ns() + patience_ns;

    while (waitpid(self->pid, NULL, WNOHANG) == 0) {
        if (monotonic_ns() >= until_ns)
            return false;
        nanosleep(&pause, NULL);
    }
    self->pid = 0;
    return true;
}

void target_kill(struct target *self)
{
    kill(self->pid, SIGKILL);
    waitpid(self->pid, NULL, 0);
    self->pid = 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

void target_close(struct target *self)
{
    if (self->pid != 0) {
        kill(self->pid, SIGTERM);
        if (!wait_child(self, STOP_NS))
            target_kill(self);
    }
    if (self->directory[0] != '\0')
        nftw(self->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    self->directory[0] = '\0';
}

enum exit_code target_make_directory(struct target *self)
{
    const char *parent = cli_text(self->cli, "dir");
    int size;

    if (self->directory[0] != '\0')
        return EXIT_OK;
    size = snprintf(self->directory, sizeof self->directory, "%s/ackd-bench-XXXXXX", parent);
    if (size < (int)sizeof self->directory - 16 && mkdtemp(self->directory) != NULL)
        return EXIT_OK;
    complain("no directory can be made in %s: %s", parent, strerror(errno));
    self->directory[0] = '\0';
    return EXIT_REFUSED;
}

/* The child's part: becomes the broker. ACKD_* of the environment sets what is not set here. */
static void become_broker(const struct target *self, const char *program)
{
    char data[PATH_MAX + 16];
    char port[PATH_MAX + 16];

    snprintf(data, sizeof data, "%s/data", self->directory);
    snprintf(port, sizeof port, "%s/port", self->directory);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* Ctrl-C is for ackctl, which then stops the broker */
    execlp(program, program, "--data-dir", data, "--listen", "127.0.0.1:0", "--port-file", port,
           "--log-level", "error", NULL);
    complain("%s can't be started: %s", program, strerror(errno));
    _exit(127);
}

/* The address the broker listens on, once it does. */
static bool read_port_file(const char *path, char *ret_url, size_t size)
{
    FILE *file = fopen(path, "re");
    char line[256] = "";

    if (file == NULL)
        return false;
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    snprintf(ret_url, size, "http://%s", line);
    return line[0] != '\0';
}

enum exit_code target_start(struct target *self)
{
    const char *program = cli_text(self->cli, "spawn");
    int64_t until_ns = monotonic_ns() + START_NS;
    char *url = cli_alloc(self->cli, 300);
    char path[PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/port", self->directory);
    unlink(path);
    self->pid = fork();
    if (self->pid == 0)
        become_broker(self, program);
    while (self->pid > 0 && !read_port_file(path, url, 300)) {
        if (wait_child(self, 0) || monotonic_ns() > until_ns) {
            complain("%s did not start to listen", program);
            return EXIT_NOT_REACHED;
        }
        if (interrupt_came())
            return interrupt_exit_code();
        interrupt_sleep(POLL_MS);
    }
    if (self->pid < 0) {
        self->pid = 0;
        complain("%s can't be started: %s", program, strerror(errno));
        return EXIT_NOT_REACHED;
    }
    self->cli->url = url;
    broker_close(self->cli);
    return resolve(self);
}

static enum exit_code resolve(struct target *self)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    struct url url;
    int failure;

    if (!url_split(self->cli->url, &url) || url.is_sealed)
        return cli_usage_error(self->cli,
                               "%s is no URL that the load generator speaks to: "
                               "give http://HOST:PORT",
                               self->cli->url);
    failure = getaddrinfo(url.host, url.port, &hints, &found);
    if (failure != 0) {
        complain("%s: %s", url.host, gai_strerror(failure));
        return EXIT_NOT_REACHED;
    }
    memcpy(&self->address.storage, found->ai_addr, found->ai_addrlen);
    self->address.size = found->ai_addrlen;
    freeaddrinfo(found);
    snprintf(self->host, sizeof self->host, "%s", url.authority);
    return EXIT_OK;
}

/* "Name:  1234 kB" of /proc/PID/status in bytes; -1 if it is not there. */
static int64_t status_bytes(const char *status, const char *name)
{
    const char *line = strstr(status, name);

    return line == NULL ? -1 : strtoll(line + strlen(name), NULL, 10) * 1024;
}

static bool ask_kernel(struct target *self, struct target_sample *sample)
{
    char path[64], text[8192];
    struct timespec cpu;
    clockid_t clock;
    FILE *file;
    size_t size;

    snprintf(path, sizeof path, "/proc/%d/status", (int)self->pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    sample->rss_bytes = status_bytes(text, "VmRSS:");
    sample->anonymous_bytes = status_bytes(text, "RssAnon:");
    if (clock_getcpuclockid(self->pid, &clock) != 0 || clock_gettime(clock, &cpu) != 0)
        return false;
    sample->cpu_s = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
    return true;
}

static bool metric(const char *text, const char *name, double *ret_value)
{
    const char *line = strstr(text, name); /* with the line break before and the space behind */

    if (line == NULL)
        return false;
    *ret_value = strtod(line + strlen(name), NULL);
    return true;
}

static bool ask_metrics(struct target *self, struct target_sample *sample)
{
    struct buffer text = BUFFER_EMPTY;
    struct error error = ERROR_NONE;
    double rss = 0;
    long http_status = 0;
    bool found;

    if (transport_get(self->cli->transport, "/metrics", self->cli->timeout_ms, &text, &http_status,
                      &error) != STATUS_OK)
        return false;
    found = http_status == 200 &&
            metric(buffer_string(&text), "\nprocess_cpu_seconds_total ", &sample->cpu_s) &&
            metric(buffer_string(&text), "\nprocess_resident_memory_bytes ", &rss);
    buffer_deinit(&text);
    sample->rss_bytes = (int64_t)rss;
    sample->anonymous_bytes = -1;
    return found;
}

enum exit_code target_sample(struct target *self, struct target_sample *ret_sample)
{
    Ackd__V1__StatsRequest request = ACKD__V1__STATS_REQUEST__INIT;
    Ackd__V1__StatsResponse *reply;
    enum exit_code code;

    *ret_sample = (struct target_sample){.is_durable = true};
    reply = BROKER_CALL(self->cli, "AdminService", "Stats", &request, stats_response, &code);
    if (reply == NULL)
        return code;
    for (size_t i = 0; i < reply->n_shards; i++) {
        ret_sample->commits += reply->shards[i]->commits;
        ret_sample->used_bytes += reply->shards[i]->used_bytes;
        ret_sample->file_bytes += reply->shards[i]->file_bytes;
        ret_sample->is_durable &= strcmp(reply->shards[i]->store, "mem") != 0;
    }
    if (!(self->pid != 0 ? ask_kernel : ask_metrics)(self, ret_sample)) {
        complain("the broker's use of its machine can't be read");
        return EXIT_REFUSED;
    }
    ret_sample->at_ns = monotonic_ns();
    return EXIT_OK;
}
