/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.c -- the broker that is measured.
 */
#include "cli/bench/target.h"

#include <errno.h>
#include <fcntl.h>
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
#include "auth/secret.h"
#include "cli/bench/seal.h"
#include "cli/broker.h"
#include "cli/file.h"
#include "cli/interrupt.h"
#include "transport.h"

#define START_NS INT64_C(60000000000) /* the longest a broker may take to listen */
#define STOP_NS INT64_C(15000000000)
#define POLL_MS 1

static enum exit_code resolve(struct target *self);
static enum exit_code make_secrets(struct target *self);
static bool ask_metrics(struct target *self, struct target_sample *sample);

enum exit_code target_open(struct target *self, struct cli *cli, bool sealed)
{
    enum exit_code code = EXIT_OK;

    *self = (struct target){.cli = cli, .is_sealed = sealed};
    interrupt_watch();
    if (!cli_given(cli, "spawn"))
        return sealed ? cli_usage_error(cli, "--tls is for a broker that --spawn starts; one with "
                                             "TLS is measured by an https:// URL")
                      : resolve(self);
    code = target_make_directory(self);
    if (code == EXIT_OK && sealed)
        code = make_secrets(self);
    return code == EXIT_OK ? target_start(self) : code;
}

void target_select(struct target *self)
{
    self->cli->url = self->url_text;
    broker_close(self->cli);
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
    SSL_CTX_free(self->address.seal);
    self->address.seal = NULL;
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

/* A file of the run's directory; lives as long as the run. */
static char *path_of(const struct target *self, const char *name)
{
    size_t size = strlen(self->directory) + strlen(name) + 2;
    char *path = cli_alloc(self->cli, size);

    snprintf(path, size, "%s/%s", self->directory, name);
    return path;
}

static bool write_token(const char *path)
{
    char text[SECRET_TEXT_BYTES + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct secret_key key;
    bool ok = fd >= 0 && secret_make_key(&key) && secret_make(&key, text) &&
              write(fd, text, SECRET_TEXT_BYTES) == SECRET_TEXT_BYTES;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* What a sealed broker starts with, and what ackctl's calls and the load generator show it. */
static enum exit_code make_secrets(struct target *self)
{
    const char *certificate = path_of(self, "tls.crt");
    const char *token = path_of(self, "token");

    if (!seal_make_identity(certificate, path_of(self, "tls.key")) || !write_token(token)) {
        complain("no certificate or no token can be made in %s", self->directory);
        return EXIT_REFUSED;
    }
    setenv("ACKD_CA_FILE", certificate, 1);
    setenv("ACKD_TOKEN_FILE", token, 1);
    return EXIT_OK;
}

/* The child's part: becomes the broker. ACKD_* of the environment sets what is not set here. */
static void become_broker(const struct target *self, const char *program)
{
    const char *arguments[] = {program,
                               "--data-dir",
                               path_of(self, "data"),
                               "--listen",
                               "127.0.0.1:0",
                               "--port-file",
                               path_of(self, "port"),
                               "--log-level",
                               "error",
                               self->is_sealed ? "--tls-cert" : NULL,
                               path_of(self, "tls.crt"),
                               "--tls-key",
                               path_of(self, "tls.key"),
                               "--admin-token-file",
                               path_of(self, "token"),
                               NULL};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* Ctrl-C is for ackctl, which then stops the broker */
    execvp(program, (char *const *)(uintptr_t)arguments);
    complain("%s can't be started: %s", program, strerror(errno));
    _exit(127);
}

/* The address the broker listens on, once it does. */
static bool read_port_file(const struct target *self, const char *path, char *ret_url, size_t size)
{
    FILE *file = fopen(path, "re");
    char line[256] = "";

    if (file == NULL)
        return false;
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    snprintf(ret_url, size, "%s://%s", self->is_sealed ? "https" : "http", line);
    return line[0] != '\0';
}

enum exit_code target_start(struct target *self)
{
    const char *program = cli_text(self->cli, "spawn");
    int64_t until_ns = monotonic_ns() + START_NS;
    char *url = cli_alloc(self->cli, 300);
    const char *path = path_of(self, "port");

    unlink(path);
    self->pid = fork();
    if (self->pid == 0)
        become_broker(self, program);
    while (self->pid > 0 && !read_port_file(self, path, url, 300)) {
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

/* The header lines of each request. */
static bool make_lines(struct target *self)
{
    const char *token_file = getenv("ACKD_TOKEN_FILE");
    bool shows_token =
        token_file != NULL && *token_file != '\0' && (self->pid == 0 || self->is_sealed);
    struct slice token = SLICE_EMPTY;
    char *lines;
    size_t size;

    if (shows_token && !file_read(self->cli, token_file, &token))
        return false;
    while (token.size > 0 && token.data[token.size - 1] <= ' ')
        token.size--;
    size = sizeof self->url.authority + token.size + 64;
    lines = cli_alloc(self->cli, size);
    if (shows_token)
        snprintf(lines, size, "Host: %s\r\nAuthorization: Bearer %.*s\r\n", self->url.authority,
                 (int)token.size, (const char *)token.data);
    else
        snprintf(lines, size, "Host: %s\r\n", self->url.authority);
    self->lines = lines;
    return true;
}

static enum exit_code resolve(struct target *self)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int failure;

    self->url_text = self->cli->url;
    if (!url_split(self->cli->url, &self->url))
        return cli_usage_error(self->cli,
                               "%s is no URL that the load generator speaks to: "
                               "give http://HOST:PORT or https://HOST:PORT",
                               self->cli->url);
    failure = getaddrinfo(self->url.host, self->url.port, &hints, &found);
    if (failure != 0) {
        complain("%s: %s", self->url.host, gai_strerror(failure));
        return EXIT_NOT_REACHED;
    }
    memcpy(&self->address.storage, found->ai_addr, found->ai_addrlen);
    self->address.size = found->ai_addrlen;
    self->address.host = self->url.host;
    freeaddrinfo(found);
    if (self->url.is_sealed && self->address.seal == NULL &&
        (self->address.seal = seal_context(self->cli)) == NULL)
        return EXIT_REFUSED;
    return make_lines(self) ? EXIT_OK : EXIT_REFUSED;
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
