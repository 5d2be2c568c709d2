/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.c -- one run of the user's program.
 *
 * fork and not posix_spawn, for PR_SET_PDEATHSIG; between fork and exec only what is safe there.
 */
#include "cli/work/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_BYTES_MAX (64 << 20) /* far over the broker's limit on results */
#define TICK_MS 100
#define CHUNK_BYTES 65536

enum { READ_END, WRITE_END };

/* The parent's ends; -1: closed. */
struct child {
    const struct child_options *options;
    struct child_outcome *outcome;
    pid_t pid;
    int input;
    int output;
    int errors;
    size_t written; /* of the input */
    bool was_killed;
};

struct pipes {
    int input[2];
    int output[2];
    int errors[2];
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void pipes_close(struct pipes *self)
{
    int *pairs[] = {self->input, self->output, self->errors};

    for (size_t i = 0; i < 3; i++) {
        close_fd(&pairs[i][READ_END]);
        close_fd(&pairs[i][WRITE_END]);
    }
}

static bool pipes_open(struct pipes *self)
{
    *self = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    return pipe2(self->input, O_CLOEXEC) == 0 && pipe2(self->output, O_CLOEXEC) == 0 &&
           pipe2(self->errors, O_CLOEXEC) == 0;
}

/* In the child, between fork and exec. */
_Noreturn static void become_program(const struct child_options *options, const struct pipes *pipes,
                                     pid_t parent)
{
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(pipes->input[READ_END], STDIN_FILENO);
    dup2(pipes->output[WRITE_END], STDOUT_FILENO);
    dup2(pipes->errors[WRITE_END], STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(options->argv[0], (char *const *)options->argv, (char *const *)options->environment);
    _exit(errno == ENOENT ? 127 : 126);
}

static int take_end(int *pair, int end)
{
    int fd = pair[end];

    pair[end] = -1;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static bool start(struct child *self)
{
    struct pipes pipes;
    pid_t parent = getpid();
    bool ok = pipes_open(&pipes);

    self->pid = ok ? fork() : -1;
    if (self->pid == 0)
        become_program(self->options, &pipes, parent);
    if (self->pid < 0) {
        self->outcome->failure = errno;
        pipes_close(&pipes);
        return false;
    }
    setpgid(self->pid, self->pid); /* whoever comes first; a signal may be sent at once */
    self->input = take_end(pipes.input, WRITE_END);
    self->output = take_end(pipes.output, READ_END);
    self->errors = take_end(pipes.errors, READ_END);
    pipes_close(&pipes);
    return true;
}

static void write_input(struct child *self)
{
    struct slice rest = slice_of(self->options->input.data + self->written,
                                 self->options->input.size - self->written);
    ssize_t count = rest.size == 0 ? 0 : write(self->input, rest.data, rest.size);

    if (count > 0)
        self->written += (size_t)count;
    /* A program need not read its input: EPIPE is no fault. */
    if (self->written == self->options->input.size ||
        (count < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&self->input);
}

static void keep_output(struct child_outcome *outcome, struct slice data)
{
    if (outcome->output.size + data.size > OUTPUT_BYTES_MAX)
        outcome->is_too_large = true;
    else
        buffer_append(&outcome->output, data);
}

static void pass_on(struct slice data)
{
    while (data.size > 0) {
        ssize_t count = write(STDERR_FILENO, data.data, data.size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return;
        data = slice_of(data.data + count, data.size - (size_t)count);
    }
}

static void keep_errors(struct child_outcome *outcome, struct slice data)
{
    pass_on(data);
    buffer_append(&outcome->errors, data);
    if (outcome->errors.size > CHILD_ERROR_BYTES_MAX)
        buffer_consume(&outcome->errors, outcome->errors.size - CHILD_ERROR_BYTES_MAX);
}

/* Reads what is there. Closes the descriptor at its end. */
static void drain(int *fd, struct child_outcome *outcome,
                  void (*keep)(struct child_outcome *outcome, struct slice data))
{
    uint8_t chunk[CHUNK_BYTES];

    while (*fd >= 0) {
        ssize_t count = read(*fd, chunk, sizeof chunk);

        if (count > 0)
            keep(outcome, slice_of(chunk, (size_t)count));
        else if (count < 0 && errno == EINTR)
            continue;
        else if (count < 0 && errno == EAGAIN)
            return;
        else
            close_fd(fd);
    }
}

static void stop_if_wished(struct child *self)
{
    enum child_wish wish = self->options->wish(self->options->context);

    if (self->outcome->is_too_large)
        wish = CHILD_MUST_END;
    if (wish == CHILD_MAY_RUN || self->was_killed)
        return;
    if (wish == CHILD_MUST_END) {
        kill(-self->pid, SIGKILL);
        self->was_killed = true;
    } else if (!self->outcome->was_stopped) {
        kill(-self->pid, SIGTERM);
    }
    self->outcome->was_stopped = true;
}

static void serve(struct child *self, int pidfd)
{
    struct pollfd fds[] = {{self->input, POLLOUT, 0},
                           {self->output, POLLIN, 0},
                           {self->errors, POLLIN, 0},
                           {pidfd, POLLIN, 0}};

    if (poll(fds, 4, TICK_MS) > 0) {
        if (fds[0].revents != 0)
            write_input(self);
        drain(&self->output, self->outcome, keep_output);
        drain(&self->errors, self->outcome, keep_errors);
    }
    stop_if_wished(self);
}

void child_run(const struct child_options *options, struct child_outcome *ret_outcome)
{
    struct child self = {.options = options, .outcome = ret_outcome};
    pid_t waited = 0;
    int pidfd;

    *ret_outcome = (struct child_outcome){0};
    if (!start(&self))
        return;
    pidfd = pidfd_open(self.pid, 0); /* without it the end is seen at the next tick */
    while (waited == 0) {
        serve(&self, pidfd);
        waited = waitpid(self.pid, &ret_outcome->status, WNOHANG);
    }
    if (waited < 0)
        ret_outcome->failure = errno; /* how it ended is not known: never a success */
    /* What it left in the pipes. A process that it left behind may hold them open for ever. */
    drain(&self.output, ret_outcome, keep_output);
    drain(&self.errors, ret_outcome, keep_errors);
    close_fd(&self.input);
    close_fd(&self.output);
    close_fd(&self.errors);
    close_fd(&pidfd);
}

void child_outcome_deinit(struct child_outcome *self)
{
    buffer_deinit(&self->output);
    buffer_deinit(&self->errors);
}

static bool is_program(const char *directory, size_t length, const char *name)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%.*s/%s", (int)length, directory, name);

    return size > 0 && (size_t)size < sizeof path && access(path, X_OK) == 0;
}

bool child_program_exists(const char *name)
{
    const char *path = getenv("PATH");

    if (strchr(name, '/') != NULL)
        return access(name, X_OK) == 0;
    if (path == NULL)
        path = "/bin:/usr/bin";
    while (*path != '\0') {
        size_t length = strcspn(path, ":");

        if (is_program(path, length, name))
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}
