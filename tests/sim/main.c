/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c -- sim [--seed N] [--seeds K] [--from N] [--jobs J]
 *
 *   --seed N    runs seed N and tells its story
 *   --seeds K   runs K seeds in silence, from --from on (1), in J processes, and sums up; each
 *               transition of the state table must have been taken by one of them
 *
 * A seed that fails is run again to tell its story.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "sim.h"

#define SEEDS_FOR_COVERAGE 1000
#define JOBS_MAX 256

struct options {
    uint64_t seed; /* 0: none */
    uint64_t from;
    uint64_t seeds;
    int jobs;
};

/* What the processes of a run share. */
struct job {
    uint64_t seed; /* it is at */
    struct figures figures;
};

static void on_bug(int signal)
{
    story_end_badly(signal == SIGABRT ? "an assertion does not hold" : "a wild access");
    _exit(EXIT_FAILURE);
}

static void set_up(void)
{
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* the asserts of model and audit end in on_bug */
    log_setup((enum log_level)(LOG_LEVEL_ERROR + 1), LOG_FORMAT_TEXT);
    (void)signal(SIGABRT, on_bug);
    (void)signal(SIGSEGV, on_bug);
}

static _Noreturn void usage(void)
{
    fputs("usage: sim [--seed N | --seeds K] [--from N] [--jobs J]\n", stderr);
    exit(2);
}

static uint64_t read_number(const char *text)
{
    char *end;
    uint64_t number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text)
        usage();
    return number;
}

static struct options read_options(int argc, char **argv)
{
    static const struct option table[] = {{"seed", required_argument, NULL, 's'},
                                          {"seeds", required_argument, NULL, 'k'},
                                          {"from", required_argument, NULL, 'f'},
                                          {"jobs", required_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.from = 1, .seeds = 2000, .jobs = 1};
    int letter;

    while ((letter = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (letter == 's')
            options.seed = read_number(optarg);
        else if (letter == 'k')
            options.seeds = read_number(optarg);
        else if (letter == 'f')
            options.from = read_number(optarg);
        else if (letter == 'j')
            options.jobs = (int)read_number(optarg);
        else
            usage();
    }
    if (optind != argc || options.jobs < 1 || options.jobs > JOBS_MAX)
        usage();
    return options;
}

/* Every jobs-th seed. */
static pid_t start_job(const struct options *options, struct job *job, int index)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
        _exit(EXIT_FAILURE); /* a story that ends badly is told again, aloud */
    for (uint64_t i = (uint64_t)index; i < options->seeds; i += (uint64_t)options->jobs) {
        job->seed = options->from + i;
        sim_run(job->seed, STORY_SILENT, &job->figures);
    }
    job->seed = 0;
    _exit(EXIT_SUCCESS);
}

static void add_figures(struct figures *sum, const struct figures *figures)
{
#define X(name, text) sum->name += figures->name;
    FIGURES_TABLE(X)
#undef X
    coverage_add(&sum->coverage, &figures->coverage);
}

static void print_figures(const struct figures *figures)
{
#define X(name, text) printf("%14" PRId64 " %s\n", figures->name, text);
    FIGURES_TABLE(X)
#undef X
    printf("%14.1f virtual hours\n", (double)figures->virtual_ms / 3600000);
}

/* In a process of its own, as it is about to die. */
static void tell_again(uint64_t seed)
{
    static struct figures figures;
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        sim_run(seed, STORY_LAST, &figures);
        printf("seed %" PRIu64 " failed, but not when it was run again\n", seed);
        fflush(stdout);
        _exit(EXIT_FAILURE);
    }
    (void)waitpid(pid, &status, 0);
}

static int run_jobs(const struct options *options)
{
    struct job *jobs = mmap(NULL, sizeof *jobs * JOBS_MAX, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static struct figures sum;
    pid_t pids[JOBS_MAX];
    int failed = 0;

    if (jobs == MAP_FAILED)
        return EXIT_FAILURE;
    for (int i = 0; i < options->jobs; i++)
        pids[i] = start_job(options, &jobs[i], i);
    for (int i = 0; i < options->jobs; i++) {
        int status;

        (void)waitpid(pids[i], &status, 0);
        add_figures(&sum, &jobs[i].figures);
        if (status == 0)
            continue;
        failed++;
        tell_again(jobs[i].seed);
    }
    print_figures(&sum);
    if (coverage_report(&sum.coverage) > 0 && options->seeds >= SEEDS_FOR_COVERAGE)
        failed++;
    puts(failed == 0 ? "no promise was broken" : "FAILED");
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    static struct figures figures;

    set_up();
    if (options.seed == 0)
        return run_jobs(&options);
    sim_run(options.seed, STORY_ALOUD, &figures);
    print_figures(&figures);
    printf("seed %" PRIu64 " holds\n", options.seed);
    return EXIT_SUCCESS;
}
