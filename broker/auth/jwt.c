/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt.c -- one JSON Web Token: taken apart, checked.
 *
 * The signature is libjose's to check. It is given three texts and one key's numbers, and nothing
 * else that could decide: by then algorithm and key are known to fit each other (libjose 11 by
 * itself lets some that don't).
 */
#include "auth/jwt.h"

#include <jose/jws.h>
#include <math.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "auth/json_text.h"
#include "auth/quiet_jose.h"

#define TIME_S_MAX 1e11 /* the year 5138: what is left of 64 bits of milliseconds is enough */

static enum jwt_verdict read_header(struct jwt *self);

const char *jwt_sentence(enum jwt_verdict verdict)
{
    static const char *const sentences[] = {
#define X(name, sentence) sentence,
        JWT_VERDICTS(X)
#undef X
    };

    return sentences[verdict];
}

static bool is_base64url(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_')
            return false;
    }
    return text.size > 0;
}

/* Exactly three parts, all of them with something in it. */
static bool split(struct slice text, struct slice ret_parts[3])
{
    for (int i = 0; i < 3; i++) {
        const uint8_t *dot = text.size == 0 ? NULL : memchr(text.data, '.', text.size);
        size_t size = dot == NULL ? text.size : (size_t)(dot - text.data);

        ret_parts[i] = slice_of(text.data, size);
        if ((dot == NULL) != (i == 2) || !is_base64url(ret_parts[i]))
            return false;
        if (dot != NULL)
            text = slice_of(dot + 1, text.size - size - 1);
    }
    return true;
}

static json_t *decode(struct slice part)
{
    uint8_t *data = malloc(part.size / 4 * 3 + 3);
    char reason[8];
    json_t *object = NULL;
    size_t size;

    if (data != NULL && base64_decode(part, data, &size))
        object = json_text_read(slice_of(data, size), reason, sizeof reason);
    free(data);
    return object;
}

enum jwt_verdict jwt_read(struct jwt *self, struct slice text)
{
    *self = (struct jwt){.header = NULL};
    if (text.size > JWT_BYTES_MAX)
        return JWT_TOO_LARGE;
    if (!split(text, self->parts))
        return JWT_NOT_COMPACT;
    self->header = decode(self->parts[0]);
    self->claims = decode(self->parts[1]);
    if (self->header == NULL || self->claims == NULL)
        return JWT_NOT_JSON;
    self->issuer = json_text_member(self->claims, "iss");
    return self->issuer == NULL ? JWT_NO_ISSUER : read_header(self);
}

static enum jwt_verdict read_header(struct jwt *self)
{
    const char *algorithm = json_text_member(self->header, "alg");

    if (json_object_get(self->header, "crit") != NULL)
        return JWT_CRITICAL;
    if (algorithm == NULL || !algorithm_of(algorithm, &self->algorithm))
        return JWT_NO_ALGORITHM;
    self->key_id = json_text_member(self->header, "kid");
    return self->key_id == NULL ? JWT_NO_KEY_ID : JWT_OK;
}

void jwt_deinit(struct jwt *self)
{
    json_decref(self->header);
    json_decref(self->claims);
    *self = (struct jwt){.header = NULL};
}

static json_t *part_text(struct slice part)
{
    return json_stringn((const char *)part.data, part.size);
}

bool jwt_is_signed(const struct jwt *self, const json_t *key)
{
    json_t *signature =
        json_pack("{so so so}", "protected", part_text(self->parts[0]), "payload",
                  part_text(self->parts[1]), "signature", part_text(self->parts[2]));
    jose_cfg_auto_t *config = quiet_jose();
    bool is_signed =
        signature != NULL && config != NULL && jose_jws_ver(config, signature, NULL, key, false);

    json_decref(signature);
    ERR_clear_error(); /* the thread may have TLS to do */
    return is_signed;
}

/* ---- claims ---- */

/* One name, or an array of them. */
static bool is_for(const json_t *claim, const char *audience)
{
    const json_t *item;
    size_t index;

    if (json_is_string(claim))
        return strcmp(json_string_value(claim), audience) == 0;
    if (json_array_size(claim) > JWT_AUDIENCES_MAX)
        return false;
    json_array_foreach(claim, index, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), audience) == 0)
            return true;
    }
    return false;
}

/* False: it is there, and no time. */
static bool read_time(const json_t *claims, const char *name, int64_t missing_ms, int64_t *ret_ms)
{
    const json_t *claim = json_object_get(claims, name);
    double seconds = json_number_value(claim);

    *ret_ms = missing_ms;
    if (claim == NULL)
        return true;
    if (!json_is_number(claim) || !isfinite(seconds) || seconds < 0 || seconds > TIME_S_MAX)
        return false;
    *ret_ms = (int64_t)(seconds * 1000);
    return true;
}

static enum jwt_verdict check_times(const json_t *claims, int64_t skew_ms, int64_t now_ms,
                                    int64_t *ret_until_ms)
{
    int64_t expires_ms;
    int64_t begins_ms;
    int64_t issued_ms;

    if (!read_time(claims, "exp", -1, &expires_ms) || expires_ms < 0 ||
        !read_time(claims, "nbf", 0, &begins_ms) || !read_time(claims, "iat", 0, &issued_ms))
        return JWT_TIMES;
    *ret_until_ms = expires_ms + skew_ms;
    if (now_ms >= *ret_until_ms)
        return JWT_EXPIRED;
    return now_ms + skew_ms < begins_ms || now_ms + skew_ms < issued_ms ? JWT_NOT_YET : JWT_OK;
}

const char *jwt_subject(const struct jwt *self)
{
    return json_text_member(self->claims, "sub");
}

enum jwt_verdict jwt_check(const struct jwt *self, const char *audience, int64_t skew_ms,
                           int64_t now_ms, int64_t *ret_until_ms)
{
    const char *subject = jwt_subject(self);
    struct slice text = subject == NULL ? SLICE_EMPTY : slice_of_string(subject);

    if (!is_for(json_object_get(self->claims, "aud"), audience))
        return JWT_AUDIENCE;
    if (text.size == 0 || text.size > JWT_SUBJECT_BYTES_MAX || !utf8_is_printable(text))
        return JWT_SUBJECT;
    return check_times(self->claims, skew_ms, now_ms, ret_until_ms);
}
