#include "cloud/s3/s3.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "cloud/errors.h"
#include "cloud/s3/acl.h"
#include "cloud/s3/config.h"
#include "cloud/s3/events.h"
#include "cloud/s3/lifecycle.h"
#include "cloud/s3/write.h"
#include "cloud/services.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* s3_admit() has asked already for requests without a signature. */
static int authorize(struct s3_request *r)
{
    const char *action = s3_action(r);
    int is_admitted = !r->x->identity.access_key_id && !r->x->identity.is_administrator;
    return action && !is_admitted ? s3_authorize(r, action, r->bucket, r->key) : 0;
}

static void handle(void *self, struct exchange *x)
{
    struct s3_request r = {.s3 = self, .x = x};
    if (s3_address(&r) < 0)
        return;
    r.operation = s3_find_operation(&r);
    if (s3_refuse_unknown(&r) < 0)
        return;
    if (!r.operation) {
        exchange_fail_more(x, "MethodNotAllowed", "Method", x->method,
                           "The specified method is not allowed against this resource.");
        return;
    }
    if (r.operation->parameters) /* a preflight answers for itself */
        s3_reply_cors(&r);
    if (authorize(&r) < 0 || (!r.key && exchange_to_worker(x)))
        return;
    r.operation->run(&r);
}

/* Reads of one object; get.c gives the large ones to a worker. */
static int quick(void *self, const struct exchange *x)
{
    (void)self;
    return strcmp(x->method, "GET") == 0 || strcmp(x->method, "HEAD") == 0;
}

/* -- life -- */

/* The mark says that the last end was none: files without a row may lie about. It is synced with
 * the first of them (content.c). */
static int sweep_after_crash(struct s3 *s3, struct err *err)
{
    char mark[sizeof s3->folder + 16];
    snprintf(mark, sizeof mark, "%s/running", s3->folder);
    if (access(mark, F_OK) == 0 && meta_sweep(s3, err) < 0)
        return -1;
    return file_write_unsynced(mark, "", 0, 0600, err);
}

static void destroy(void *self)
{
    struct s3 *s3 = self;
    char mark[sizeof s3->folder + 16];
    expiry_destroy(s3->expiry);
    outbox_destroy(s3->outbox);
    database_close(s3->database);
    checksums_destroy(s3->checksums);
    pthread_mutex_destroy(&s3->room_lock);
    etags_finish(&s3->etags);
    snprintf(mark, sizeof mark, "%s/running", s3->folder);
    unlink(mark);
    free(s3);
}

static int open_stores(struct s3 *s3, struct err *err)
{
    char path[sizeof s3->folder + 16];
    if (cloud_path(s3->cloud, "s3", s3->folder, sizeof s3->folder - 100, err) < 0 ||
        content_prepare(s3, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/meta.db", s3->folder);
    s3->database = database_open(path, s3_schema, err);
    s3->checksums = s3->database ? checksums_create(err) : NULL;
    if (!s3->checksums || meta_upgrade(s3, err) < 0 || config_count_lifecycles(s3, err) < 0)
        return -1;
    return sweep_after_crash(s3, err);
}

/* Tests cannot wait for a day: KEN_S3_DAY_SECONDS is what a lifecycle counts as one. */
static int64_t day_ms(void)
{
    enum { DAY_S = 24 * 3600 };
    const char *text = getenv("KEN_S3_DAY_SECONDS");
    int64_t seconds = text ? s3_number(text, DAY_S) : DAY_S;
    return (seconds > 0 ? seconds : DAY_S) * 1000;
}

/* One account, one canonical user. */
static void name_owner(struct s3 *s3)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)s3->cloud->account_id, strlen(s3->cloud->account_id), hash);
    hex_encode(hash, sizeof hash, s3->owner_id);
}

static int start(void *self, struct err *err)
{
    struct s3 *s3 = self;
    s3->outbox = outbox_create(s3, err);
    s3->expiry = s3->outbox ? expiry_create(s3, err) : NULL;
    return s3->expiry ? 0 : -1;
}

/* Before the targets of notifications go; what waits stays in the outbox. */
static void stop(void *self)
{
    struct s3 *s3 = self;
    expiry_destroy(s3->expiry);
    s3->expiry = NULL;
    outbox_stop(s3->outbox);
}

int s3_service_create(struct cloud *cloud, struct err *err)
{
    struct s3 *s3 = calloc(1, sizeof *s3);
    if (!s3)
        return err_set(err, ERR_NO_MEMORY, "start s3: out of memory");
    s3->cloud = cloud;
    pthread_mutex_init(&s3->room_lock, NULL);
    etags_init(&s3->etags);
    s3->day_ms = day_ms();
    name_owner(s3);
    struct service service = {.name = "s3",
                              .error_form = ERROR_FORM_S3,
                              .memory_body_bytes = S3_MEMORY_BODY_BYTES,
                              .max_body_bytes = S3_MAX_OBJECT_BYTES + S3_MAX_OBJECT_BYTES / 64,
                              .anonymous = 1,
                              .admit = s3_admit,
                              .handle = handle,
                              .quick = quick,
                              .start = start,
                              .stop = stop,
                              .destroy = destroy,
                              .self = s3};
    if (open_stores(s3, err) < 0 || cloud_add(cloud, &service, err) < 0) {
        destroy(s3);
        return -1;
    }
    cloud->s3 = s3;
    return 0;
}
