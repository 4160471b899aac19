#include "edge/local.h"

#include "edge/records.h"
#include "face/gallery.h"
#include "face/recognizer.h"
#include "function/handler.h"

#include <pthread.h>
#include <stdlib.h>

struct local {
    pthread_mutex_t lock;
    struct face_models *models;
    struct recognizer *recognizer;
    struct gallery *gallery;
    struct records *records;
    const struct deployment *deployment;
};

static int open_faces(struct local *local, const struct local_options *options, struct err *err)
{
    local->models = face_models_open(options->models, err);
    if (!local->models)
        return -1;
    local->gallery = gallery_open_to_search(options->gallery, err);
    if (!local->gallery)
        return -1;
    const struct face_network network = face_models_network(local->models);
    if (gallery_check_network(local->gallery, &network, err) < 0)
        return -1;
    struct recognizer_options how = recognizer_defaults;
    how.threads = recognizer_threads();
    local->recognizer = recognizer_create(local->models, &how, err);
    return local->recognizer ? 0 : -1;
}

struct local *local_open(const struct local_options *options, const struct deployment *deployment,
                         struct err *err)
{
    struct local *local = calloc(1, sizeof *local);
    if (!local) {
        err_set(err, ERR_NO_MEMORY, "open the local recognition: out of memory");
        return NULL;
    }
    pthread_mutex_init(&local->lock, NULL);
    local->deployment = deployment;
    local->records = records_open(deployment, options->record_lifetime_s, err);
    if (local->records && open_faces(local, options, err) == 0)
        return local;
    local_close(local);
    return NULL;
}

void local_close(struct local *local)
{
    if (!local)
        return;
    recognizer_destroy(local->recognizer);
    gallery_destroy(local->gallery);
    face_models_close(local->models);
    records_close(local->records);
    pthread_mutex_destroy(&local->lock);
    free(local);
}

static int recognize(void *self, const struct image *image, struct face *faces, size_t max,
                     struct face_timings *timings, struct err *err)
{
    struct local *local = self;
    return recognizer_run(local->recognizer, image, faces, max, timings, err);
}

static int match(void *self, const float *embedding, struct match *out)
{
    struct local *local = self;
    return gallery_match(local->gallery, embedding, out);
}

static int record(void *self, const char *name, struct buf *plain, struct err *err)
{
    struct local *local = self;
    return records_get(local->records, name, plain, err);
}

int local_ask(struct local *local, const char *key, const struct image *image, struct buf *body)
{
    const struct handler_parts parts = {.self = local,
                                        .recognize = recognize,
                                        .match = match,
                                        .record = record,
                                        .table = local->deployment->table};
    struct handler_outcome outcome;
    pthread_mutex_lock(&local->lock);
    handler_recognize(&parts, key, image, body, &outcome);
    pthread_mutex_unlock(&local->lock);
    handler_outcome_finish(&outcome);
    return outcome.status;
}
