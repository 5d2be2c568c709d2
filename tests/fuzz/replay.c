/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c FOLDER -- runs a target over the files of its corpus, in the order of their names, and
 * over no bytes at all. It stands in for libFuzzer where that is not, so that whatever was once
 * found stays a test with every compiler.
 *
 * The name goes to stderr before the run: after a crash the last line says which file it was.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "fuzz.h"

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    char chunk[4096];
    size_t size;

    if (file == NULL)
        return false;
    while ((size = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(out, slice_of(chunk, size));
    fclose(file);
    return !out->failed;
}

static void replay(const char *name, struct slice bytes)
{
    uint8_t *copy = exact_copy(bytes);

    (void)fprintf(stderr, "%s\n", name);
    (void)LLVMFuzzerTestOneInput(copy, bytes.size);
    free(copy);
}

static bool replay_file(const char *folder, const char *name)
{
    struct buffer bytes = BUFFER_EMPTY;
    char path[4096];
    bool read;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    read = read_file(path, &bytes);
    if (read)
        replay(name, buffer_view(&bytes));
    else
        perror(path);
    buffer_deinit(&bytes);
    return read;
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    int count = argc == 2 ? scandir(argv[1], &entries, is_file, alphasort) : -1;
    int failed = 0;

    if (count <= 0) {
        (void)fprintf(stderr, "usage: %s FOLDER, with files in it\n", argv[0]);
        return 2;
    }
    replay("(no bytes)", SLICE_EMPTY);
    for (int i = 0; i < count; i++) {
        failed += !replay_file(argv[1], entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    printf("[  PASSED  ] %d test(s).\n", count + 1 - failed);
    return failed == 0 ? 0 : 1;
}
