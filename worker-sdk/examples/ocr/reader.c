/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.c -- Tesseract and leptonica behind three calls.
 *
 * Leptonica decodes the image, Tesseract finds the lines and recognises them with the LSTM model
 * alone (no legacy engine). Nothing of one page is kept for the next: the adaptive classifier,
 * which would make a result depend on what was read before it, is part of the legacy engine.
 */
#include "reader.h"

#include <leptonica/allheaders.h>
#include <stdlib.h>
#include <string.h>
#include <tesseract/capi.h>

/* Assumed where an image does not say: without it Tesseract guesses, and warns of each page. */
enum { RESOLUTION_DEFAULT_DPI = 150 };

struct reader {
    TessBaseAPI *engine;
};

struct reader *reader_new(const char *language)
{
    struct reader *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->engine = TessBaseAPICreate();
    if (!self->engine || TessBaseAPIInit2(self->engine, NULL, language, OEM_LSTM_ONLY) != 0) {
        reader_free(self);
        return NULL;
    }
    TessBaseAPISetPageSegMode(self->engine, PSM_SINGLE_BLOCK);
    return self;
}

void reader_free(struct reader *self)
{
    if (!self)
        return;
    if (self->engine)
        TessBaseAPIDelete(self->engine);
    free(self);
}

static void trim_end(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(" \n\f", text[length - 1]))
        length--;
    text[length] = '\0';
}

static const char *recognise(TessBaseAPI *engine, struct Pix *page, struct reading *ret_reading)
{
    TessBaseAPISetImage2(engine, page);
    if (pixGetXRes(page) == 0)
        TessBaseAPISetSourceResolution(engine, RESOLUTION_DEFAULT_DPI);
    char *text = TessBaseAPIGetUTF8Text(engine);
    if (!text)
        return "Tesseract could not recognise the page";
    trim_end(text);
    ret_reading->text = strdup(text);
    ret_reading->confidence_percent = TessBaseAPIMeanTextConf(engine);
    TessDeleteText(text);
    return ret_reading->text ? NULL : "out of memory";
}

const char *reader_read(struct reader *self, const void *image, size_t image_bytes,
                        struct reading *ret_reading)
{
    struct Pix *page = pixReadMem(image, image_bytes);
    if (!page)
        return "the payload is not an image that leptonica can decode";
    const char *trouble = recognise(self->engine, page, ret_reading);
    TessBaseAPIClear(self->engine);
    pixDestroy(&page);
    return trouble;
}

void reading_deinit(struct reading *self)
{
    free(self->text);
    self->text = NULL;
}
