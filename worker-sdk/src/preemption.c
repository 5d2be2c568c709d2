/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preemption.c -- see preemption.h. A table has the clouds; each has a function that asks once.
 *
 *   gce    instance/preempted is TRUE; the server answers when it changes (wait_for_change), and by
 *          the ETag of the last answer no change is missed between two questions
 *   aws    IMDSv2: a token by PUT, then spot/instance-action is 404 until there is one
 *   azure  scheduled events, of which Preempt and the like name this machine; its name is asked for
 *          first, as the events of a whole scale set are listed
 */
#include "preemption.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "transfer.h"

enum {
    ANSWER_MS = 5000,        /* what a server on the same machine may take */
    GCE_WAIT_S = 60,         /* that Google's server holds a question */
    PERIOD_MS = 5000,        /* between two questions, where nobody holds them */
    REPLY_BYTES_MAX = 65536, /* of an answer */
    WORD_MAX = 512           /* of a token, an ETag, a name */
};

struct cloud {
    const char *name;
    const char *base_url;
    /* Whether the machine is about to go; *ret_reached: whether there was an answer. */
    bool (*ask)(struct preemption *self, bool *ret_reached);
    int period_ms;
};

struct preemption {
    const struct cloud *cloud;
    char *base_url;
    CURL *easy;
    CURLM *multi;
    const atomic_bool *interrupted;
    struct buffer reply;
    char word[WORD_MAX]; /* gce: the last ETag; aws: the token; azure: the machine's name */
};

/* One question. */
struct question {
    const char *path;
    const char *header;
    bool is_put;
    int timeout_ms;
};

static bool ask_gce(struct preemption *self, bool *ret_reached);
static bool ask_aws(struct preemption *self, bool *ret_reached);
static bool ask_azure(struct preemption *self, bool *ret_reached);

static const struct cloud CLOUDS[] = {
    {"gce", "http://metadata.google.internal", ask_gce,
     TRANSFER_LOOK_MS}, /* if it does not hold us */
    {"aws", "http://169.254.169.254", ask_aws, PERIOD_MS},
    {"azure", "http://169.254.169.254", ask_azure, PERIOD_MS},
};

static const struct cloud *cloud_of(const char *name)
{
    for (size_t i = 0; i < sizeof CLOUDS / sizeof CLOUDS[0]; i++)
        if (strcmp(CLOUDS[i].name, name) == 0)
            return &CLOUDS[i];
    return NULL;
}

bool preemption_knows(const char *cloud)
{
    return cloud_of(cloud) != NULL;
}

struct preemption *preemption_new(const char *cloud, const char *base_url)
{
    struct preemption *self = calloc(1, sizeof *self);

    if (self == NULL)
        return NULL;
    self->cloud = cloud_of(cloud);
    if (self->cloud != NULL)
        self->base_url = strdup(base_url != NULL ? base_url : self->cloud->base_url);
    self->easy = curl_easy_init();
    self->multi = curl_multi_init();
    if (self->base_url == NULL || self->easy == NULL || self->multi == NULL) {
        preemption_free(self);
        return NULL;
    }
    return self;
}

void preemption_free(struct preemption *self)
{
    if (self == NULL)
        return;
    curl_easy_cleanup(self->easy);
    curl_multi_cleanup(self->multi);
    buffer_deinit(&self->reply);
    free(self->base_url);
    free(self);
}

void preemption_wake(struct preemption *self)
{
    curl_multi_wakeup(self->multi);
}

static void pause_ms(struct preemption *self, int ms)
{
    for (; ms > 0 && !atomic_load(self->interrupted); ms -= TRANSFER_LOOK_MS)
        curl_multi_poll(self->multi, NULL, 0, ms < TRANSFER_LOOK_MS ? ms : TRANSFER_LOOK_MS, NULL);
}

bool preemption_wait(struct preemption *self, const atomic_bool *interrupted, bool *ret_reached)
{
    bool going;

    self->interrupted = interrupted;
    *ret_reached = false;
    going = self->cloud->ask(self, ret_reached);
    if (!going)
        pause_ms(self, *ret_reached ? self->cloud->period_ms : PERIOD_MS);
    return going;
}

/*
 * Questions
 */

static size_t on_bytes(char *data, size_t size, size_t count, void *context)
{
    struct preemption *self = context;

    if (size * count > REPLY_BYTES_MAX - self->reply.size)
        return 0;
    buffer_append(&self->reply, slice_of(data, size * count));
    return self->reply.failed ? 0 : size * count;
}

/* Keeps the ETag; the other clouds keep their word where it comes. */
static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct preemption *self = context;
    static const char name[] = "etag:";
    size_t length = size * count;
    size_t begin = sizeof name - 1;

    if (self->cloud->ask != ask_gce || length <= begin || strncasecmp(line, name, begin) != 0)
        return length;
    while (begin < length && line[begin] == ' ')
        begin++;
    (void)snprintf(self->word, sizeof self->word, "%.*s", (int)(length - begin), line + begin);
    self->word[strcspn(self->word, "\r\n")] = '\0';
    return length;
}

/* The HTTP status, with the body in self->reply; 0: no answer. */
static long question(struct preemption *self, const struct question *question)
{
    struct curl_slist *headers = curl_slist_append(NULL, question->header);
    char url[2 * WORD_MAX + 256];
    long status = 0;

    buffer_clear(&self->reply, REPLY_BYTES_MAX);
    (void)snprintf(url, sizeof url, "%s%s", self->base_url, question->path);
    curl_easy_reset(self->easy);
    curl_easy_setopt(self->easy, CURLOPT_URL, url);
    curl_easy_setopt(self->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(self->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(self->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)ANSWER_MS);
    curl_easy_setopt(self->easy, CURLOPT_TIMEOUT_MS, (long)question->timeout_ms);
    curl_easy_setopt(self->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(self->easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(self->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(self->easy, CURLOPT_HEADERDATA, self);
    if (question->is_put)
        curl_easy_setopt(self->easy, CURLOPT_CUSTOMREQUEST, "PUT");
    if (headers != NULL && curl_multi_add_handle(self->multi, self->easy) == CURLM_OK) {
        if (transfer_drive(self->multi, self->interrupted) == CURLE_OK)
            curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_multi_remove_handle(self->multi, self->easy);
    }
    curl_slist_free_all(headers);
    return status;
}

static const char *reply_text(struct preemption *self)
{
    return buffer_string(&self->reply);
}

/* Remembers the reply as the word. */
static void keep_word(struct preemption *self)
{
    (void)snprintf(self->word, sizeof self->word, "%s", reply_text(self));
    self->word[strcspn(self->word, "\r\n")] = '\0';
}

/*
 * Clouds
 */

static bool ask_gce(struct preemption *self, bool *ret_reached)
{
    char path[WORD_MAX + 128];
    struct question ask = {.path = path,
                           .header = "Metadata-Flavor: Google",
                           .timeout_ms = GCE_WAIT_S * 1000 + ANSWER_MS};

    (void)snprintf(path, sizeof path,
                   "/computeMetadata/v1/instance/preempted"
                   "?wait_for_change=true&timeout_sec=%d&last_etag=%s",
                   GCE_WAIT_S, self->word[0] != '\0' ? self->word : "0");
    *ret_reached = question(self, &ask) == 200;
    return *ret_reached && strncmp(reply_text(self), "TRUE", 4) == 0;
}

static bool ask_aws(struct preemption *self, bool *ret_reached)
{
    char header[WORD_MAX + 64];
    struct question token = {.path = "/latest/api/token",
                             .header = "X-aws-ec2-metadata-token-ttl-seconds: 21600",
                             .is_put = true,
                             .timeout_ms = ANSWER_MS};
    struct question action = {.path = "/latest/meta-data/spot/instance-action",
                              .header = header,
                              .timeout_ms = ANSWER_MS};
    long status;

    if (self->word[0] == '\0') {
        if (question(self, &token) != 200)
            return false;
        keep_word(self);
    }
    (void)snprintf(header, sizeof header, "X-aws-ec2-metadata-token: %s", self->word);
    status = question(self, &action);
    if (status == 401)
        self->word[0] = '\0'; /* it ran out: another one next time */
    *ret_reached = status == 200 || status == 404;
    return status == 200;
}

/* Whether an event ends the machine, and it is this one. */
static bool event_is_ours(json_t *event, const char *machine)
{
    static const char *const ENDS[] = {"Preempt", "Terminate", "Redeploy", "Reboot"};
    const char *type = json_string_value(json_object_get(event, "EventType"));
    json_t *name;
    size_t i;
    bool ends = false;
    bool ours = false;

    for (i = 0; type != NULL && i < sizeof ENDS / sizeof ENDS[0]; i++)
        ends = ends || strcmp(type, ENDS[i]) == 0;
    json_array_foreach(json_object_get(event, "Resources"), i, name) ours =
        ours || (json_is_string(name) && strcmp(json_string_value(name), machine) == 0);
    return ends && ours;
}

static bool ask_azure(struct preemption *self, bool *ret_reached)
{
    struct question name = {
        .path = "/metadata/instance/compute/name?api-version=2021-02-01&format=text",
        .header = "Metadata: true",
        .timeout_ms = ANSWER_MS};
    /* The first question may take Azure two minutes. */
    struct question events = {.path = "/metadata/scheduledevents?api-version=2020-07-01",
                              .header = "Metadata: true",
                              .timeout_ms = 120000 + ANSWER_MS};
    json_t *reply;
    json_t *event;
    size_t i;
    bool going = false;

    if (self->word[0] == '\0') {
        if (question(self, &name) != 200)
            return false;
        keep_word(self);
    }
    *ret_reached = question(self, &events) == 200;
    if (!*ret_reached)
        return false;
    reply = json_loadb(reply_text(self), self->reply.size, 0, NULL);
    json_array_foreach(json_object_get(reply, "Events"), i, event) going =
        going || event_is_ours(event, self->word);
    json_decref(reply);
    return going;
}
