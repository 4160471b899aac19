#include "cloud/cloud.h"

#include "base/file.h"
#include "base/log.h"
#include "cloud/certificate.h"
#include "cloud/deliver.h"
#include "cloud/front.h"
#include "cloud/identity.h"
#include "cloud/services.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int cloud_add(struct cloud *cloud, const struct service *service, struct err *err)
{
    if (cloud->service_count == CLOUD_MAX_SERVICES)
        return err_set(err, ERR_TOO_BIG, "add service %s: too many", service->name);
    cloud->services[cloud->service_count++] = *service;
    return 0;
}

int cloud_path(const struct cloud *cloud, const char *name, char *out, size_t out_bytes,
               struct err *err)
{
    int length = snprintf(out, out_bytes, "%s/%s", cloud->data_folder, name);
    if (length < 0 || (size_t)length >= out_bytes)
        return err_set(err, ERR_TOO_BIG, "open %s/%s: the path is too long", cloud->data_folder,
                       name);
    return 0;
}

/* One cloud a folder: the lock goes with the process, however it ends, and no process that it
 * started inherits it. */
static int lock_folder(struct cloud *cloud, struct err *err)
{
    char path[PATH_MAX];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (cloud_path(cloud, "lock", path, sizeof path, err) < 0)
        return -1;
    cloud->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (cloud->lock_fd < 0)
        return err_set_errno(err, "open %s", path);
    if (fcntl(cloud->lock_fd, F_SETLK, &lock) == 0)
        return 0;
    if (errno == EAGAIN || errno == EACCES)
        return err_set(err, ERR_BUSY,
                       "data folder %s: another ken cloud uses it (stop that one, or take another "
                       "folder by --data)",
                       cloud->data_folder);
    return err_set_errno(err, "lock %s", path);
}

static int sync_folder(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 || fsync(fd) < 0 ? err_set_errno(err, "sync %s", path) : 0;
    if (fd >= 0)
        close(fd);
    return result;
}

/* What the services would make one by one, each folder with a sync of the one above it: on a first
 * start all are made, and later each one above is synced once, also what a start that was killed
 * had made. The file `endpoint` is written when a start is done. */
static int is_first_start(const struct cloud *cloud)
{
    char path[PATH_MAX];
    struct err ignored;
    return cloud_path(cloud, "endpoint", path, sizeof path, &ignored) == 0 &&
           access(path, F_OK) < 0;
}

static int make_folders(const struct cloud *cloud, struct err *err)
{
    static const char *const folders[] = {
        "s3",         "s3/objects", "lambda",      "lambda/functions", "lambda/code",
        "apigateway", "ecr",        "ecr/uploads", "apigateway/apis",  "iam"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (cloud_path(cloud, folders[i], path, sizeof path, err) < 0)
            return -1;
        if (mkdir(path, strcmp(folders[i], "lambda/code") == 0 ? 0755 : 0700) < 0 &&
            errno != EEXIST)
            return err_set_errno(err, "make folder %s", path);
    }
    return 0;
}

/* After the key was written: that sync takes what is in the folders with it, and leaves little to
 * these. */
static int sync_folders(const struct cloud *cloud, struct err *err)
{
    static const char *const above[] = {"s3", "lambda", "apigateway", "ecr", ""};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof above / sizeof *above; i++)
        if (cloud_path(cloud, above[i], path, sizeof path, err) < 0 || sync_folder(path, err) < 0)
            return -1;
    return 0;
}

static int open_folder(struct cloud *cloud, const char *folder, struct err *err)
{
    char path[PATH_MAX];
    if (file_make_folders(folder, 0700, err) < 0)
        return -1;
    char *whole = realpath(folder, NULL);
    if (!whole)
        return err_set_errno(err, "open data folder %s", folder);
    cloud->data_folder = whole;
    if (lock_folder(cloud, err) < 0 || cloud_path(cloud, "spool", path, sizeof path, err) < 0 ||
        file_remove_tree(path, err) < 0)
        return -1;
    if (mkdir(path, 0700) < 0)
        return err_set_errno(err, "make folder %s", path);
    cloud->spool_folder = strdup(path);
    return cloud->spool_folder ? 0 : err_set(err, ERR_NO_MEMORY, "open data folder: out of memory");
}

static int make_identities(struct cloud *cloud, const struct cloud_options *options,
                           struct err *err)
{
    struct cloud_credentials own = {0};
    const char *id = options->access_key_id, *secret = options->secret_access_key;
    if (!id || !secret) {
        if (cloud_credentials(cloud->data_folder, &own, err) < 0)
            return -1;
        id = own.access_key_id;
        secret = own.secret_access_key;
        if (options->own)
            *options->own = own;
    }
    cloud->identities = identities_create(id, secret, cloud->account_id, err);
    explicit_bzero(&own, sizeof own);
    return cloud->identities ? 0 : -1;
}

static int start_services(struct cloud *cloud, struct err *err)
{
    for (size_t i = 0; i < cloud->service_count; i++) {
        struct service *service = &cloud->services[i];
        if (service->start && service->start(service->self, err) < 0)
            return err_wrap(err, "start %s", service->name);
    }
    return 0;
}

static int find_certificate(struct cloud *cloud, const struct cloud_options *options,
                            struct err *err)
{
    if (!options->tls && !options->certificate_path)
        return 0;
    cloud->certificate = calloc(1, sizeof *cloud->certificate);
    if (!cloud->certificate)
        return err_set(err, ERR_NO_MEMORY, "start the cloud: out of memory");
    if (options->certificate_path)
        return certificate_read(cloud->certificate, options->certificate_path, options->key_path,
                                err);
    return certificate_own(cloud->certificate, cloud->data_folder, options->listen, err);
}

static int open_front(struct cloud *cloud, const struct cloud_options *options, struct err *err)
{
    if (find_certificate(cloud, options, err) < 0)
        return -1;
    const struct front_options front = {
        .listen = options->listen, .certificate = cloud->certificate, .workers = options->workers};
    cloud->front = front_create(cloud, &front, err);
    if (!cloud->front)
        return -1;
    cloud->endpoint = front_endpoint(cloud->front);
    cloud->inner_endpoint = front_inner_endpoint(cloud->front);
    return 0;
}

static int start(struct cloud *cloud, const struct cloud_options *options, struct err *err)
{
    cloud->region = strdup(options->region);
    cloud->account_id = CLOUD_ACCOUNT_ID;
    cloud->isolation = options->isolation;
    cloud->anonymous = options->anonymous;
    cloud->encrypted_disk = options->encrypted_disk;
    cloud->targets = calloc(CLOUD_MAX_TARGETS, sizeof *cloud->targets);
    if (!cloud->region || !cloud->targets)
        return err_set(err, ERR_NO_MEMORY, "start the cloud: out of memory");
    if (open_folder(cloud, options->data_folder, err) < 0)
        return -1;
    int is_first = is_first_start(cloud);
    if (is_first && make_folders(cloud, err) < 0)
        return -1;
    if (make_identities(cloud, options, err) < 0)
        return -1;
    if (is_first && sync_folders(cloud, err) < 0)
        return -1;
    if (open_front(cloud, options, err) < 0)
        return -1;
    if (services_create(cloud, err) < 0 || start_services(cloud, err) < 0)
        return -1;
    return front_start(cloud->front, err);
}

/* A start that left out what it cannot read would answer as if that were not there: a user without
 * the policies that bind him, a table without items. */
static void advise(struct err *err)
{
    struct err cause = *err;
    err_set(err, ERR_CORRUPT,
            "%.300s (put the file back from a copy, or move it away and start without what is in "
            "it: docs/durability.md)",
            cause.message);
}

struct cloud *cloud_start(const struct cloud_options *options, struct err *err)
{
    struct cloud *cloud = calloc(1, sizeof *cloud);
    if (!cloud) {
        err_set(err, ERR_NO_MEMORY, "start the cloud: out of memory");
        return NULL;
    }
    cloud->lock_fd = -1;
    if (start(cloud, options, err) == 0)
        return cloud;
    if (err->code == ERR_CORRUPT)
        advise(err);
    cloud_stop(cloud);
    return NULL;
}

/* Returns how many exchanges are unanswered. */
static unsigned stop_answering(struct cloud *cloud)
{
    front_quiesce(cloud->front);
    for (size_t i = 0; i < cloud->service_count; i++)
        if (cloud->services[i].stop)
            cloud->services[i].stop(cloud->services[i].self);
    return front_drain(cloud->front, CLOUD_DRAIN_MS);
}

void cloud_stop(struct cloud *cloud)
{
    if (!cloud)
        return;
    unsigned left = cloud->front ? stop_answering(cloud) : 0;
    if (left) {
        log_line(LOG_WARN, "stop: %u requests are left unanswered after %d ms", left,
                 CLOUD_DRAIN_MS);
        return; /* their threads still use all of it; the process ends here */
    }
    front_destroy(cloud->front);
    while (cloud->service_count) {
        struct service *service = &cloud->services[--cloud->service_count];
        if (service->destroy)
            service->destroy(service->self);
    }
    identities_destroy(cloud->identities);
    if (cloud->lock_fd >= 0)
        close(cloud->lock_fd);
    free((char *)cloud->spool_folder);
    free((char *)cloud->data_folder);
    free((char *)cloud->region);
    free(cloud->targets);
    if (cloud->certificate)
        certificate_finish(cloud->certificate);
    free(cloud->certificate);
    free(cloud);
}
