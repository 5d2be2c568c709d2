/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_postgres.c -- results as rows, a batch in one INSERT.
 *
 * Each commit is one statement in a transaction of its own, with an array a column, and idempotent
 * by (queue, task_id). So when the connection is lost in the middle nobody needs to know whether it
 * was carried out: the worker sends it again.
 *
 * A connection that failed is closed, and made anew by the next call. Errors, by their SQLSTATE:
 *   the server is away, full, stopping, read-only, or the statement lost a race   ACKD_UNAVAILABLE
 *   the data breaks a type or a constraint                                        ACKD_INVALID
 *   all others (no such table, no permission, bad SQL): set up wrongly            ACKD_INTERNAL
 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "postgres_array.h"
#include "postgres_call.h"
#include "sink_failed.h"

#define DEFAULT_TABLE "ackd_results"

enum { RESULT_COLUMNS = 6 };

struct postgres_sink {
    struct ackd_sink sink; /* first */
    PGconn *connection;    /* NULL: to be made */
    char *conninfo;
    bool make_table;
    char *insert;    /* the statement of a commit */
    char *find_done; /* NULL: nothing is looked up */
};

static enum ackd_status postgres_open(struct ackd_sink *sink, struct ackd_error *error);
static enum ackd_status postgres_find_done(struct ackd_sink *sink, const char *queue,
                                           const char *const *task_ids, size_t count,
                                           bool *ret_done, struct ackd_error *error);
static enum ackd_status postgres_commit(struct ackd_sink *sink,
                                        const struct ackd_sink_result *results, size_t count,
                                        struct ackd_error *error);
static void postgres_free(struct ackd_sink *sink);
static bool statements_make(struct postgres_sink *self,
                            const struct ackd_sink_postgres_options *options);
static enum ackd_status connect_if_needed(struct postgres_sink *self, struct ackd_error *error);
static enum ackd_status make_table(struct postgres_sink *self, struct ackd_error *error);
static enum ackd_status run_statement(struct postgres_sink *self, const char *statement,
                                      const struct postgres_array *arrays, const char *first_text,
                                      int count, PGresult **ret_result, struct ackd_error *error);
static enum ackd_status failed(struct postgres_sink *self, const PGresult *result,
                               struct ackd_error *error);
static enum ackd_status no_memory(struct ackd_error *error);

struct ackd_sink *ackd_sink_postgres(const char *conninfo,
                                     const struct ackd_sink_postgres_options *options)
{
    struct postgres_sink *self = calloc(1, sizeof *self);
    struct ackd_sink_postgres_options own;

    if (self == NULL)
        return sink_no_memory();
    self->sink = (struct ackd_sink){.size = sizeof self->sink,
                                    .name = "postgres",
                                    .open = postgres_open,
                                    .find_done = postgres_find_done,
                                    .commit = postgres_commit,
                                    .free = postgres_free};
    if (!options_copy(&own, sizeof own, options))
        return &self->sink; /* opening it says what is missing */
    self->conninfo = strdup(conninfo != NULL ? conninfo : "");
    self->make_table = own.table == NULL && own.statement == NULL;
    if (self->conninfo == NULL || !statements_make(self, &own)) {
        postgres_free(&self->sink);
        return sink_no_memory();
    }
    return &self->sink;
}

static void postgres_free(struct ackd_sink *sink)
{
    struct postgres_sink *self = (struct postgres_sink *)sink;

    PQfinish(self->connection);
    free(self->conninfo);
    free(self->insert);
    free(self->find_done);
    free(self);
}

static enum ackd_status postgres_open(struct ackd_sink *sink, struct ackd_error *error)
{
    struct postgres_sink *self = (struct postgres_sink *)sink;
    PQconninfoOption *parsed;
    char *why = NULL;
    enum ackd_status status;

    if (self->insert == NULL)
        return ackd_error_set(error, ACKD_INVALID,
                              "the postgres sink's options.size must be sizeof its struct");
    parsed = PQconninfoParse(self->conninfo, &why);
    if (parsed == NULL) {
        ackd_error_set(error, ACKD_INVALID, "the postgres sink's conninfo can't be read: %s",
                       why != NULL ? why : "no memory");
        PQfreemem(why);
        return ACKD_INVALID;
    }
    PQconninfoFree(parsed);
    status = connect_if_needed(self, error);
    if (status == ACKD_OK && self->make_table)
        status = make_table(self, error);
    return status;
}

/* A task ID and its place in the question, sorted to find answers. */
struct asked {
    const char *id;
    size_t index;
};

static int asked_compare(const void *a, const void *b)
{
    return strcmp(((const struct asked *)a)->id, ((const struct asked *)b)->id);
}

/* Sets ret_done for the IDs in the result's first column. */
static bool mark_done(const PGresult *result, const char *const *task_ids, size_t count,
                      bool *ret_done)
{
    struct asked *asked = calloc(count, sizeof *asked);

    if (asked == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        asked[i] = (struct asked){task_ids[i], i};
    qsort(asked, count, sizeof *asked, asked_compare);
    for (int row = 0; PQnfields(result) > 0 && row < PQntuples(result); row++) {
        struct asked key = {PQgetvalue(result, row, 0), 0};
        const struct asked *found = bsearch(&key, asked, count, sizeof *asked, asked_compare);

        if (found != NULL)
            ret_done[found->index] = true;
    }
    free(asked);
    return true;
}

static enum ackd_status postgres_find_done(struct ackd_sink *sink, const char *queue,
                                           const char *const *task_ids, size_t count,
                                           bool *ret_done, struct ackd_error *error)
{
    struct postgres_sink *self = (struct postgres_sink *)sink;
    struct postgres_array ids;
    PGresult *result = NULL;
    enum ackd_status status;

    if (self->find_done == NULL || count == 0)
        return ACKD_OK;
    postgres_array_init(&ids, POSTGRES_TEXT, count);
    for (size_t i = 0; i < count; i++)
        postgres_array_append(&ids, slice_of_string(task_ids[i]));
    status = run_statement(self, self->find_done, &ids, queue, 1, &result, error);
    if (status == ACKD_OK && !mark_done(result, task_ids, count, ret_done))
        status = no_memory(error);
    PQclear(result);
    postgres_array_deinit(&ids);
    return status;
}

static enum ackd_status postgres_commit(struct ackd_sink *sink,
                                        const struct ackd_sink_result *results, size_t count,
                                        struct ackd_error *error)
{
    struct postgres_sink *self = (struct postgres_sink *)sink;
    struct postgres_array columns[RESULT_COLUMNS];
    PGresult *result = NULL;
    enum ackd_status status;

    postgres_array_init(&columns[0], POSTGRES_TEXT, count);
    postgres_array_init(&columns[1], POSTGRES_TEXT, count);
    postgres_array_init(&columns[2], POSTGRES_INT8, count);
    postgres_array_init(&columns[3], POSTGRES_BYTEA, count);
    postgres_array_init(&columns[4], POSTGRES_TEXT, count);
    postgres_array_init(&columns[5], POSTGRES_TEXT, count);
    for (size_t i = 0; i < count; i++) {
        postgres_array_append(&columns[0], slice_of_string(results[i].queue));
        postgres_array_append(&columns[1], slice_of_string(results[i].task_id));
        postgres_array_append_i64(&columns[2], results[i].fence);
        if (results[i].has_result)
            postgres_array_append(&columns[3],
                                  slice_of(results[i].result.data, results[i].result.size));
        else
            postgres_array_append_null(&columns[3]);
        postgres_array_append(&columns[4], slice_of_string(results[i].dataset));
        postgres_array_append(&columns[5], slice_of_string(results[i].worker));
    }
    status = run_statement(self, self->insert, columns, NULL, RESULT_COLUMNS, &result, error);
    PQclear(result);
    for (int i = 0; i < RESULT_COLUMNS; i++)
        postgres_array_deinit(&columns[i]);
    return status;
}

/* The statements as text; false: no memory. */
static bool statements_make(struct postgres_sink *self,
                            const struct ackd_sink_postgres_options *options)
{
    const char *table = options->table != NULL ? options->table : DEFAULT_TABLE;
    const char *conflict =
        options->policy == ACKD_SINK_NEWEST
            ? "DO UPDATE SET fence = excluded.fence, result = excluded.result, "
              "dataset = excluded.dataset, worker = excluded.worker WHERE kept.fence <= "
              "excluded.fence"
            : "DO NOTHING";
    struct buffer text = BUFFER_EMPTY;

    if (options->statement != NULL) {
        self->insert = strdup(options->statement);
        if (options->done_statement != NULL)
            self->find_done = strdup(options->done_statement);
        return self->insert != NULL && (options->done_statement == NULL || self->find_done != NULL);
    }
    buffer_append_printf(&text,
                         "INSERT INTO %s AS kept (queue, task_id, fence, result, dataset, worker) "
                         "SELECT * FROM unnest($1, $2, $3, $4, $5, $6) "
                         "ON CONFLICT (queue, task_id) %s",
                         table, conflict);
    self->insert = strdup(buffer_string(&text));
    buffer_clear(&text, SIZE_MAX);
    buffer_append_printf(&text, "SELECT task_id FROM %s WHERE queue = $1 AND task_id = ANY ($2)",
                         table);
    self->find_done = strdup(buffer_string(&text));
    buffer_deinit(&text);
    return !text.failed && self->insert != NULL && self->find_done != NULL;
}

static enum ackd_status connect_if_needed(struct postgres_sink *self, struct ackd_error *error)
{
    /* What stands after is taken over what stands before: the user's wins. */
    static const char *const keywords[] = {"connect_timeout",
                                           "target_session_attrs",
                                           "keepalives_idle",
                                           "tcp_user_timeout",
                                           "fallback_application_name",
                                           "dbname",
                                           NULL};
    const char *values[] = {"5", "read-write", "15", "15000", "ackd-worker", self->conninfo, NULL};
    static const char settings[] =
        "SET statement_timeout = '5s'; SET lock_timeout = '2s'; "
        "SET idle_in_transaction_session_timeout = '10s'; SET client_encoding = 'UTF8'; "
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'";
    enum ackd_status status = ACKD_OK;
    PGresult *result;

    if (self->connection != NULL && PQstatus(self->connection) == CONNECTION_OK)
        return ACKD_OK;
    PQfinish(self->connection);
    self->connection = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(self->connection) != CONNECTION_OK)
        return failed(self, NULL, error);
    result = postgres_call(self->connection, settings, NULL);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        status = failed(self, result, error);
    PQclear(result);
    return status;
}

/* Makes the default table if it is missing. Several workers may do so at once. */
static enum ackd_status make_table(struct postgres_sink *self, struct ackd_error *error)
{
    static const char statement[] =
        "CREATE TABLE IF NOT EXISTS " DEFAULT_TABLE " ("
        "queue text NOT NULL, task_id text NOT NULL, fence bigint NOT NULL, result bytea, "
        "dataset text NOT NULL, worker text NOT NULL, "
        "committed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (queue, task_id))";
    PGresult *result =
        postgres_call(self->connection, "SELECT to_regclass('" DEFAULT_TABLE "') IS NULL", NULL);
    bool missing = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    enum ackd_status status =
        PQresultStatus(result) == PGRES_TUPLES_OK ? ACKD_OK : failed(self, result, error);

    PQclear(result);
    if (status != ACKD_OK || !missing)
        return status;
    result = postgres_call(self->connection, statement, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        bool lost_the_race =
            state != NULL && (strcmp(state, "23505") == 0 || strcmp(state, "42P07") == 0);

        if (!lost_the_race)
            status = failed(self, result, error);
    }
    PQclear(result);
    return status;
}

/* Runs a statement with arrays as parameters, behind `first_text` if that is not NULL. *ret_result
 * is the caller's to clear, whatever the status. */
static enum ackd_status run_statement(struct postgres_sink *self, const char *statement,
                                      const struct postgres_array *arrays, const char *first_text,
                                      int count, PGresult **ret_result, struct ackd_error *error)
{
    enum { PARAMETERS_MAX = RESULT_COLUMNS + 1 };
    static const Oid text_oid = 25;
    const char *values[PARAMETERS_MAX];
    Oid types[PARAMETERS_MAX];
    int sizes[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    int used = 0;
    struct postgres_parameters parameters;
    enum ackd_status status = connect_if_needed(self, error);

    if (status != ACKD_OK)
        return status;
    if (first_text != NULL) {
        values[used] = first_text;
        types[used] = text_oid;
        sizes[used] = 0;
        formats[used++] = 0;
    }
    for (int i = 0; i < count; i++) {
        if (arrays[i].bytes.failed)
            return no_memory(error);
        values[used] = (const char *)arrays[i].bytes.data;
        types[used] = postgres_array_oid(&arrays[i]);
        sizes[used] = (int)arrays[i].bytes.size;
        formats[used++] = 1;
    }
    parameters = (struct postgres_parameters){used, types, values, sizes, formats};
    *ret_result = postgres_call(self->connection, statement, &parameters);
    if (PQresultStatus(*ret_result) != PGRES_COMMAND_OK &&
        PQresultStatus(*ret_result) != PGRES_TUPLES_OK)
        return failed(self, *ret_result, error);
    return ACKD_OK;
}

/* What an SQLSTATE means for whoever wants to commit; the longest prefix counts. */
static enum ackd_status status_of_state(const char *state)
{
    static const struct {
        const char *prefix;
        enum ackd_status status;
    } table[] = {
        {"08", ACKD_UNAVAILABLE},    /* connection */
        {"40", ACKD_UNAVAILABLE},    /* deadlock, serialization */
        {"53", ACKD_UNAVAILABLE},    /* disk, memory, connections */
        {"55", ACKD_UNAVAILABLE},    /* lock not available */
        {"57", ACKD_UNAVAILABLE},    /* shutdown, statement_timeout */
        {"58", ACKD_UNAVAILABLE},    /* the server's own I/O */
        {"25006", ACKD_UNAVAILABLE}, /* read-only: it is not the primary any more */
        {"22", ACKD_INVALID},        /* data */
        {"23", ACKD_INVALID},        /* constraint */
        {"54", ACKD_INVALID},        /* program limit */
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strncmp(state, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i].status;
    return ACKD_INTERNAL;
}

/* From the result, or from the connection if there is none. */
static enum ackd_status failed(struct postgres_sink *self, const PGresult *result,
                               struct ackd_error *error)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum ackd_status status = state == NULL ? ACKD_UNAVAILABLE : status_of_state(state);

    if (message == NULL)
        message = PQerrorMessage(self->connection);
    if (message[0] == '\0')
        message = "no answer";
    ackd_error_set(error, status, "PostgreSQL%s%s: %.*s", state == NULL ? "" : " ",
                   state == NULL ? "" : state, (int)strcspn(message, "\n"), message);
    /* A session that is not good for this may be good for nothing: the next call makes another. */
    if (status == ACKD_UNAVAILABLE) {
        PQfinish(self->connection);
        self->connection = NULL;
    }
    return status;
}

static enum ackd_status no_memory(struct ackd_error *error)
{
    return ackd_error_set(error, ACKD_UNAVAILABLE, "no memory for the postgres sink");
}
