#include "function/services.h"

#include "aws/client.h"
#include "aws/dynamodb.h"
#include "aws/s3.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESERVE_MS = 250 }; /* of the event's time, for recognising and answering */

struct services {
    struct face_models *models;
    struct recognizer *recognizer;
    struct gallery *gallery;
    struct aws_client *client;
    struct http_response frame;
    char table[256], topic[300]; /* topic: "" for none */
    struct image picture;
};

/* A path from a variable, or `name` in the function's folder. */
static int find_path(const char *variable, const char *name, char *out, size_t out_bytes,
                     struct err *err)
{
    const char *given = getenv(variable), *root = getenv("LAMBDA_TASK_ROOT");
    int is_given = given && *given;
    int length = is_given ? snprintf(out, out_bytes, "%s", given)
                          : snprintf(out, out_bytes, "%s/%s", root && *root ? root : ".", name);
    if (length < 0 || (size_t)length >= out_bytes)
        return err_set(err, ERR_TOO_BIG, "open %s: its path is too long", name);
    return 0;
}

static int open_faces(struct services *services, struct err *err)
{
    char models[4096], gallery[4096];
    if (find_path("KEN_MODELS", "models", models, sizeof models, err) < 0 ||
        find_path("KEN_GALLERY", "gallery.ken", gallery, sizeof gallery, err) < 0)
        return -1;
    services->models = face_models_open(models, err);
    if (!services->models)
        return -1;
    services->gallery = gallery_open_to_search(gallery, err);
    if (!services->gallery)
        return -1;
    const struct face_network network = face_models_network(services->models);
    if (gallery_check_network(services->gallery, &network, err) < 0)
        return -1;
    struct recognizer_options options = recognizer_defaults;
    options.threads = recognizer_threads();
    const char *detect = getenv("KEN_DETECT");
    if (detect && *detect && face_detect_read(&options.detect, detect) < 0)
        return err_set(err, ERR_INVALID, "KEN_DETECT: fast, thorough or auto is wanted");
    services->recognizer = recognizer_create(services->models, &options, err);
    return services->recognizer ? 0 : -1;
}

static int open_client(struct services *services, struct err *err)
{
    struct aws_config config;
    const char *table = getenv("KEN_TABLE");
    int length = snprintf(services->table, sizeof services->table, "%s",
                          table && *table ? table : "ken-people");
    if (length < 0 || (size_t)length >= sizeof services->table)
        return err_set(err, ERR_TOO_BIG, "read KEN_TABLE: it is too long");
    const char *topic = getenv("KEN_TOPIC");
    length = snprintf(services->topic, sizeof services->topic, "%s", topic ? topic : "");
    if (length < 0 || (size_t)length >= sizeof services->topic)
        return err_set(err, ERR_TOO_BIG, "read KEN_TOPIC: it is too long");
    if (aws_config_load(&config, err) < 0)
        return -1;
    services->client = aws_client_create(&config, err);
    explicit_bzero(&config, sizeof config);
    return services->client ? 0 : -1;
}

struct services *services_open(struct err *err)
{
    struct services *services = calloc(1, sizeof *services);
    if (!services) {
        err_set(err, ERR_NO_MEMORY, "start function: out of memory");
        return NULL;
    }
    http_response_init(&services->frame);
    services->frame.body.limit = IMAGE_MAX_FILE_BYTES;
    if (open_client(services, err) < 0 || open_faces(services, err) < 0) {
        services_close(services);
        return NULL;
    }
    return services;
}

void services_close(struct services *services)
{
    if (!services)
        return;
    recognizer_destroy(services->recognizer);
    gallery_destroy(services->gallery);
    face_models_close(services->models);
    aws_client_destroy(services->client);
    http_response_finish(&services->frame);
    image_finish(&services->picture);
    free(services);
}

void services_set_deadline(struct services *services, int64_t deadline_unix_ms)
{
    int64_t left_ms = deadline_unix_ms - clock_unix_ms() - RESERVE_MS;
    uint64_t deadline_ns = 0;
    if (deadline_unix_ms > 0)
        deadline_ns = clock_monotonic_ns() + (left_ms > 0 ? (uint64_t)left_ms * 1000000 : 0);
    aws_client_set_deadline(services->client, deadline_ns);
}

static enum frame_result fetch(void *self, const char *bucket, const char *key, const void **data,
                               size_t *size, struct err *err)
{
    struct services *services = self;
    if (aws_s3_get_object(services->client, bucket, key, &services->frame, err) == 0) {
        *data = services->frame.body.data ? services->frame.body.data : "";
        *size = services->frame.body.size;
        return FRAME_FETCHED;
    }
    const struct aws_failure *failure = aws_client_failure(services->client);
    if (strcmp(failure->code, "NoSuchBucket") == 0) {
        err_set(err, ERR_NOT_FOUND, "the bucket %.200s does not exist", bucket);
        return FRAME_NO_BUCKET;
    }
    if (err->code == ERR_NOT_FOUND) {
        err_set(err, ERR_NOT_FOUND, "there is no object %.200s in the bucket %.200s", key, bucket);
        return FRAME_NO_KEY;
    }
    if (err->code == ERR_DENIED) {
        err_set(err, ERR_DENIED, "the function's role may not read the bucket %.200s", bucket);
        return FRAME_DENIED;
    }
    return err->code == ERR_TOO_BIG ? FRAME_TOO_BIG : FRAME_FAILED;
}

static int recognize(void *self, const struct image *image, struct face *faces, size_t max,
                     struct face_timings *timings, struct err *err)
{
    struct services *services = self;
    return recognizer_run(services->recognizer, image, faces, max, timings, err);
}

static int match(void *self, const float *embedding, struct match *out)
{
    struct services *services = self;
    return gallery_match(services->gallery, embedding, out);
}

static int record(void *self, const char *name, struct buf *plain, struct err *err)
{
    struct services *services = self;
    return aws_dynamodb_get_item(services->client, services->table, "name", name, plain, err);
}

struct handler_parts services_parts(struct services *services)
{
    return (struct handler_parts){services, fetch,           recognize,         match,
                                  record,   services->table, &services->picture};
}

int services_archive(struct services *services, const struct event *frame, struct err *err)
{
    int is_png = frame->picture_bytes > 1 && frame->picture[0] == 0x89 && frame->picture[1] == 'P';
    const struct s3_object object = {.bucket = frame->bucket,
                                     .key = frame->key,
                                     .content_type = is_png ? "image/png" : "image/jpeg",
                                     .data = frame->picture,
                                     .size = frame->picture_bytes};
    return aws_s3_put_object(services->client, &object, err);
}

int services_have_topic(const struct services *services)
{
    return services->topic[0] != 0;
}

int services_answer(void *self, const struct notice *notice, unsigned part, const char *answer,
                    struct err *err)
{
    struct services *services = self;
    return notice_answer(services->client, services->topic, notice, part, answer, err);
}
