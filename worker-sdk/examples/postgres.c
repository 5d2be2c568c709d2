/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres.c -- results into a table of your own, by a statement of your own.
 *
 *     psql -c 'CREATE TABLE captions (image text PRIMARY KEY, caption text NOT NULL, made_by text)'
 *     ./postgres QUEUE 'host=db dbname=pictures'
 *
 * The library hands a batch of results to the statement as arrays, one a column: queues, task IDs,
 * fences, results, datasets, workers. It may hand the same batch over again when a connection
 * breaks, so the statement must not mind (ON CONFLICT). The second statement says which of a
 * batch's tasks are in the table: they are acked without computing.
 *
 * The "inference" here is a batch handler that turns payloads into capitals; a GPU would take the
 * whole micro-batch in one go.
 */
#include <ackd/ackd.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static const char insert[] = "INSERT INTO captions (image, caption, made_by) "
                             "SELECT id, convert_from(result, 'UTF8'), worker "
                             "FROM unnest($2, $4, $6) AS batch (id, result, worker) "
                             "ON CONFLICT (image) DO NOTHING";
static const char find_done[] = "SELECT image FROM captions WHERE image = ANY ($2)";

static void caption(struct ackd_task **tasks, size_t count, void *context)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = tasks[i]->payload.size;
        const char *text = tasks[i]->payload.data;
        char *capitals = malloc(size + 1);

        if (size == 0 || capitals == NULL) {
            ackd_task_fail(tasks[i], "nothing to describe");
            free(capitals);
            continue;
        }
        for (size_t at = 0; at < size; at++)
            capitals[at] = (char)toupper((unsigned char)text[at]);
        ackd_task_set_result(tasks[i], capitals, size);
        free(capitals);
    }
}

int main(int argc, char **argv)
{
    struct ackd_sink_postgres_options sink_options;
    struct ackd_worker_options options;
    struct ackd_worker_stats stats = {.size = sizeof stats};
    struct ackd_worker *worker;
    struct ackd_error error;

    if (argc != 3) {
        fprintf(stderr, "usage: postgres QUEUE CONNINFO\n");
        return 2;
    }
    ackd_sink_postgres_options_init(&sink_options);
    sink_options.statement = insert;
    sink_options.done_statement = find_done;

    ackd_worker_options_init(&options);
    options.queue = argv[1];
    options.batch_handler = caption;
    options.batch_max = 32;
    options.sink = ackd_sink_postgres(argv[2], &sink_options); /* the worker frees it */
    options.handle_signals = true;
    options.stop_when_empty = true;
    if (ackd_worker_new(&options, &worker, &error) == ACKD_OK) {
        ackd_worker_run(worker, &error);
        ackd_worker_stats(worker, &stats);
        printf("%d computed, %d found in the table, %d acked\n", (int)stats.computed,
               (int)stats.skipped, (int)stats.acked);
    }
    if (error.status != ACKD_OK)
        fprintf(stderr, "postgres: %s\n", error.message);
    ackd_worker_free(worker);
    return error.status == ACKD_OK ? 0 : 1;
}
