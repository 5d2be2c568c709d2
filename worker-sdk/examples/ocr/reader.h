/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h -- reads the text on a page image with Tesseract's LSTM model.
 *
 * A reader holds one loaded engine (about 40 MB and 0.1 s to load), so it is made once and used for
 * every page. It serves one thread at a time: make as many as there are handler threads.
 */
#ifndef OCR_READER_H
#define OCR_READER_H

#include <stddef.h>

struct reader;

/* What a page says. `text` is UTF-8 without the layout's trailing blank lines. */
struct reading {
    char *text;
    int confidence_percent; /* the mean over the words */
};

/* Loads the model of `language` ("eng"). NULL if it is not installed or can't be read. */
struct reader *reader_new(const char *language);
void reader_free(struct reader *self);

/*
 * Reads one encoded image (PNG, JPEG, TIFF and whatever else leptonica decodes). Returns NULL and
 * fills in `ret_reading`, to be freed with reading_deinit, or a sentence that says what is wrong
 * with the image.
 */
const char *reader_read(struct reader *self, const void *image, size_t image_bytes,
                        struct reading *ret_reading);
void reading_deinit(struct reading *self);

#endif
