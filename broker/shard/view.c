/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c -- one task as an operator sees it, copied out of the store.
 */
#include "shard/state.h"

/* STATUS_TOO_LARGE: the arena has no room for it. */
enum status view_fill(struct shard *shard, struct held *held, bool with_body, struct arena *arena,
                      struct task_view *ret)
{
    struct dataset *dataset = dataset_of_number(held->queue, held->dataset);
    struct task_record record;
    enum status status = held_read_row(shard, held->place, &record, arena, with_body);

    if (status != STATUS_OK)
        return status;
    *ret = (struct task_view){
        .place = held->place,
        .id = record.id,
        .body = with_body ? record.body : SLICE_EMPTY,
        .attributes_size = with_body ? record.attributes_size : 0,
        .payload_size = record.body_size - record.attributes_size,
        .task = held->task,
        .published_ms = record.published_ms,
        .progress_ms = progress_ms(shard, held->place, &held->task),
    };
    if (!copy_slice(arena, slice_of(held->error, held->error_size), &ret->error) ||
        (dataset != NULL &&
         !copy_slice(arena, slice_of(dataset->name, dataset->name_size), &ret->dataset)))
        return STATUS_TOO_LARGE;
    return STATUS_OK;
}

bool dataset_matches(const struct queue *queue, uint32_t number, bool any, struct slice name)
{
    const struct dataset *dataset = dataset_of_number(queue, number);

    return any ||
           (dataset != NULL && slice_equal(slice_of(dataset->name, dataset->name_size), name));
}
