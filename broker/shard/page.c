/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.c -- walks the rows of a queue in a table, a page at a time.
 *
 * A page looks at a bounded number of rows, so that a filter that matches nothing can't hold up
 * the shard: it may come back short, or empty, with a key to go on from. It also ends early where
 * the reply's arena has no more room.
 */
#include "shard/state.h"

#define PIECE 64
#define ROWS_PER_PAGE_MAX 20000

/* Where to begin: a key that was given out for another queue begins at this one's first. */
static struct key first_key(const struct page *page)
{
    struct key first = key_of_queue(page->queue->number);

    if (slice_compare(page->from, key_slice(&first)) > 0) {
        first.size = page->from.size;
        memcpy(first.data, page->from.data, page->from.size);
    }
    return first;
}

static enum status end_page(struct page *page, struct slice next)
{
    page->next = arena_copy(page->arena, next);
    return page->next.data == NULL ? STATUS_TOO_LARGE : STATUS_OK;
}

/* Adds rows; sets *ret_ended if the page ends before the last of them. */
static enum status add_rows(struct page *page, const struct store_row *rows, size_t count,
                            bool *ret_ended)
{
    *ret_ended = true;
    for (size_t i = 0; i < count; i++) {
        enum status status = STATUS_OK;

        if (page->count == page->size)
            return end_page(page, rows[i].key);
        status = page->add(page, &rows[i]);
        if (status == STATUS_TOO_LARGE && page->count > 0)
            return end_page(page, rows[i].key);
        if (status == STATUS_TOO_LARGE || status == STATUS_INTERNAL)
            return status; /* others: a record that can't be read, which `check` reports */
    }
    *ret_ended = false;
    return STATUS_OK;
}

/* Tombstones have no row in `task` any more: moves `from` to the next key that has one. False:
 * there is none. */
static enum status pass_over_done(struct page *page, struct key *from, struct slice to,
                                  bool *ret_found)
{
    struct store_row row;
    size_t count;
    enum status status = batch_scan(page->shard, STORE_TASK, key_slice(from), to, &row, 1, &count);

    *ret_found = status == STATUS_OK && count == 1;
    if (*ret_found) {
        from->size = row.key.size;
        memcpy(from->data, row.key.data, row.key.size);
    }
    return status;
}

enum status page_fill(struct page *page)
{
    struct key from = first_key(page);
    struct key to = key_after_queue(page->queue->number);
    struct store_row rows[PIECE];
    size_t count = PIECE;

    page->next = SLICE_EMPTY;
    for (size_t seen = 0; seen < ROWS_PER_PAGE_MAX; seen += count) {
        bool ended = false;
        bool found = true;
        enum status status = STATUS_OK;

        if (page->open_only)
            status = pass_over_done(page, &from, key_slice(&to), &found);
        if (status != STATUS_OK || !found)
            return status;
        status = batch_scan(page->shard, page->table, key_slice(&from), key_slice(&to), rows, PIECE,
                            &count);
        if (status != STATUS_OK || count == 0)
            return status;
        status = add_rows(page, rows, count, &ended);
        if (status != STATUS_OK || ended || count < PIECE)
            return status;
        from = key_after(rows[count - 1].key);
    }
    return end_page(page, key_slice(&from));
}
