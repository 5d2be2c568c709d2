/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result.c -- results that came with an ack, by task ID.
 */
#include "shard/state.h"

enum status result_write(struct shard *shard, struct held *held, struct slice id, struct slice data,
                         uint32_t fence)
{
    struct key key = key_of_name(held->queue->number, id);
    struct blob_record record = {
        .type = RECORD_RESULT,
        .stored_ms = shard->batch.now_ms,
        .dataset = held->dataset,
        .fence = fence,
        .priority = held->place.priority,
        .seq = held->place.seq,
    };
    /* An older result of that ID, published again after its time, may have chunks elsewhere. */
    enum status status = blob_remove(shard, STORE_RESULT, key, CHUNK_RESULT, RECORD_RESULT);

    if (status != STATUS_OK)
        return status;
    return blob_put(shard, STORE_RESULT, key, CHUNK_RESULT, &record, data);
}

static bool is_kept(struct shard *shard, const struct queue *queue,
                    const struct blob_record *record)
{
    int64_t retention_ms = queue->now.config.result_retention_ms;

    return retention_ms == 0 || record->stored_ms + retention_ms > shard->batch.now_ms;
}

bool result_exists(struct shard *shard, struct queue *queue, struct slice id)
{
    struct key key = key_of_name(queue->number, id);
    struct blob_record record;
    struct slice value;

    return batch_get(shard, STORE_RESULT, key_slice(&key), &value) == STATUS_OK &&
           blob_record_read(key_slice(&key), value, RECORD_RESULT, &record) == STATUS_OK &&
           is_kept(shard, queue, &record);
}

/* Adds the record to the reply, if it is wanted. */
static enum status add_view(struct shard *shard, struct queue *queue, struct result_list_call *call,
                            struct slice key_bytes, struct slice value)
{
    struct result_view *view = &call->views[call->view_count];
    struct arena *arena = call->call.arena;
    struct blob_record record;
    struct dataset *dataset;
    struct key key = {.size = key_bytes.size};
    enum status status = blob_record_read(key_bytes, value, RECORD_RESULT, &record);

    if (status != STATUS_OK)
        return status;
    dataset = dataset_of_number(queue, record.dataset);
    if (!is_kept(shard, queue, &record) ||
        (!call->any_dataset &&
         (dataset == NULL ||
          !slice_equal(slice_of(dataset->name, dataset->name_size), call->dataset))))
        return STATUS_OK;
    memcpy(key.data, key_bytes.data, key_bytes.size);
    *view = (struct result_view){.fence = record.fence, .stored_ms = record.stored_ms};
    if (!copy_slice(arena, slice_of(key.data + 4, key.size - 4), &view->id) ||
        (dataset != NULL &&
         !copy_slice(arena, slice_of(dataset->name, dataset->name_size), &view->dataset)))
        return STATUS_TOO_LARGE;
    if (!call->ids_only) {
        status = blob_copy(shard, key, CHUNK_RESULT, &record, arena, &view->data);
        if (status != STATUS_OK)
            return status;
    }
    call->view_count++;
    return STATUS_OK;
}

static enum status list_ids(struct shard *shard, struct queue *queue, struct result_list_call *call)
{
    for (size_t i = 0; i < call->id_count; i++) {
        struct key key = key_of_name(queue->number, call->ids[i]);
        struct slice value;
        enum status status = batch_get(shard, STORE_RESULT, key_slice(&key), &value);

        if (status == STATUS_NOT_FOUND)
            continue;
        if (status == STATUS_OK)
            status = add_view(shard, queue, call, key_slice(&key), value);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status add_row(struct page *page, const struct store_row *row)
{
    struct result_list_call *call = CONTAINER_OF(page->call, struct result_list_call, call);
    enum status status = add_view(page->shard, page->queue, call, row->key, row->value);

    page->count = call->view_count;
    return status;
}

static enum status list_page(struct shard *shard, struct queue *queue,
                             struct result_list_call *call)
{
    struct page page = {
        .table = STORE_RESULT,
        .from = call->from,
        .size = call->page_size,
        .arena = call->call.arena,
        .add = add_row,
        .shard = shard,
        .queue = queue,
        .call = &call->call,
    };
    enum status status = page_fill(&page);

    call->next = page.next;
    return status;
}

static enum call_result run(struct shard *shard, struct call *base)
{
    struct result_list_call *call = CONTAINER_OF(base, struct result_list_call, call);
    struct queue *queue = shard_find_queue(shard, call->queue, &base->error);
    size_t most = call->id_count > 0 ? call->id_count : call->page_size;
    enum status status;

    call->view_count = 0;
    call->next = SLICE_EMPTY;
    if (queue == NULL)
        return CALL_DONE;
    call->views = ARENA_ARRAY(base->arena, most, struct result_view);
    if (call->views == NULL)
        status = STATUS_TOO_LARGE;
    else
        status = call->id_count > 0 ? list_ids(shard, queue, call) : list_page(shard, queue, call);
    if (status != STATUS_OK)
        error_set(&base->error, status, NULL);
    return CALL_DONE;
}

const struct verb verb_result_list = {"result_list", false, false, run};
