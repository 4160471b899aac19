#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "cloud/ecr/ecr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1024 * 1024 };

int ecr_blob_path(const struct ecr *ecr, const char *digest, char out[PATH_MAX])
{
    const char *hex = ecr_digest_digits(digest);
    int size = snprintf(out, PATH_MAX, "%s/blobs/%.2s/%s", ecr->folder, hex, hex);
    return size < PATH_MAX ? 0 : -1;
}

static int is_id(const char *id)
{
    return strlen(id) == ECR_ID_BYTES - 1 && strspn(id, "0123456789abcdef-") == ECR_ID_BYTES - 1;
}

/* uploads/ID.REPOSITORY, the latter as a hash: names have slashes. */
static int upload_path(const struct ecr *ecr, const struct ecr_upload *upload, char out[PATH_MAX])
{
    char owner[ECR_DIGEST_BYTES];
    ecr_digest("", upload->repository, strlen(upload->repository), owner);
    int size = snprintf(out, PATH_MAX, "%s/uploads/%s.%.16s", ecr->folder, upload->id,
                        ecr_digest_digits(owner));
    return is_id(upload->id) && size < PATH_MAX ? 0 : -1;
}

static int open_upload(const struct ecr *ecr, const struct ecr_upload *upload, int flags,
                       struct err *err)
{
    char path[PATH_MAX];
    if (upload_path(ecr, upload, path) < 0)
        return err_set(err, ERR_NOT_FOUND, "upload %.40s: there is none", upload->id);
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? err_set_errno(err, "upload %s", upload->id) : fd;
}

int ecr_upload_begin(struct ecr *ecr, const char *repository, char id[ECR_ID_BYTES],
                     struct err *err)
{
    random_uuid(id);
    const struct ecr_upload upload = {repository, id};
    int fd = open_upload(ecr, &upload, O_WRONLY | O_CREAT | O_EXCL, err);
    if (fd < 0)
        return err_wrap(err, "begin an upload");
    close(fd);
    return 0;
}

int ecr_upload_size(struct ecr *ecr, const struct ecr_upload *upload, size_t *size, struct err *err)
{
    struct stat status;
    int fd = open_upload(ecr, upload, O_RDONLY, err);
    if (fd < 0)
        return -1;
    int result = fstat(fd, &status) < 0 ? err_set_errno(err, "upload %s", upload->id) : 0;
    *size = result == 0 ? (size_t)status.st_size : 0;
    close(fd);
    return result;
}

static int copy_file(int from, int to, size_t size, struct err *err)
{
    char *chunk = malloc(CHUNK_BYTES);
    int result = chunk ? 0 : err_set(err, ERR_NO_MEMORY, "add to an upload: out of memory");
    for (size_t done = 0; result == 0 && done < size;) {
        ssize_t got = pread(from, chunk, CHUNK_BYTES, (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            result = err_set_errno(err, "read the request's body");
        else
            result = file_write_all(to, chunk, (size_t)got, err);
        done += got > 0 ? (size_t)got : 0;
    }
    free(chunk);
    return result;
}

/* What did not come whole is cut off again, so that the client may send it once more. */
static int append(int fd, int64_t from, const struct body *body, struct err *err)
{
    off_t before = lseek(fd, 0, SEEK_END);
    if (from != ECR_UPLOAD_ANYWHERE && from != before)
        return err_set(err, ERR_BUSY, "add to an upload: it goes on at %lld, not at %lld",
                       (long long)before, (long long)from);
    if (before < 0 || (size_t)before + body->size > ECR_MAX_BLOB_BYTES)
        return err_set(err, ERR_TOO_BIG, "add to an upload: a blob has at most %zu bytes",
                       ECR_MAX_BLOB_BYTES);
    int result = body->data ? file_write_all(fd, body->data, body->size, err)
                            : copy_file(body->fd, fd, body->size, err);
    if (result < 0 && ftruncate(fd, before) < 0)
        log_line(LOG_ERROR, "ecr: cut an upload back: %s", strerror(errno));
    return result;
}

int ecr_upload_add(struct ecr *ecr, const struct ecr_upload *upload, int64_t from,
                   const struct body *body, struct err *err)
{
    int fd = open_upload(ecr, upload, O_RDWR, err);
    if (fd < 0)
        return -1;
    flock(fd, LOCK_EX); /* two chunks at a time go one after the other */
    int result = body->size ? append(fd, from, body, err) : 0;
    close(fd);
    return result;
}

/* By the algorithm of `like`. */
static int digest_file(int fd, const char *like, char out[ECR_DIGEST_BYTES], size_t *size,
                       struct err *err)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    char *chunk = malloc(CHUNK_BYTES);
    ssize_t got = -1;
    *size = 0;
    if (context && chunk && EVP_DigestInit_ex(context, ecr_digest_method(like), NULL) == 1)
        while ((got = pread(fd, chunk, CHUNK_BYTES, (off_t)*size)) > 0) {
            EVP_DigestUpdate(context, chunk, (size_t)got);
            *size += (size_t)got;
        }
    if (got == 0) {
        EVP_DigestFinal_ex(context, hash, NULL);
        ecr_digest_write(like, hash, out);
    }
    EVP_MD_CTX_free(context);
    free(chunk);
    return got == 0 ? 0 : err_set_errno(err, "digest a blob");
}

int ecr_blob_open(const struct ecr *ecr, const char *digest, struct err *err)
{
    char path[PATH_MAX], is[ECR_DIGEST_BYTES];
    size_t size;
    if (ecr_blob_path(ecr, digest, path) < 0)
        return err_set(err, ERR_TOO_BIG, "open a blob: the path is too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_set_errno(err, "open a blob");
    int result = digest_file(fd, digest, is, &size, err);
    if (result == 0 && strcmp(is, digest) != 0)
        result = err_set(err, ERR_CORRUPT, "open blob %s: it is damaged", digest);
    if (result == 0)
        return fd;
    close(fd);
    return -1;
}

/* From uploads/ to blobs/ab/.., on the disk when it returns. */
static int settle(struct ecr *ecr, const struct ecr_upload *upload, const char *digest,
                  struct err *err)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (upload_path(ecr, upload, from) < 0 || ecr_blob_path(ecr, digest, to) < 0)
        return err_set(err, ERR_TOO_BIG, "keep a blob: the path is too long");
    char *slash = strrchr(to, '/');
    *slash = 0;
    if (file_make_folders(to, 0700, err) < 0)
        return -1;
    *slash = '/';
    return file_move(from, to, err);
}

int ecr_upload_end(struct ecr *ecr, const struct ecr_upload *upload, const char *digest,
                   struct err *err)
{
    char is[ECR_DIGEST_BYTES];
    size_t size;
    int fd = open_upload(ecr, upload, O_RDONLY, err);
    if (fd < 0)
        return -1;
    flock(fd, LOCK_EX);
    int result = digest_file(fd, digest, is, &size, err);
    if (result == 0 && strcmp(is, digest) != 0)
        result = err_set(err, ERR_INVALID, "the bytes that came are %s, not %s", is, digest);
    pthread_mutex_lock(&ecr->files);
    if (result == 0)
        result = settle(ecr, upload, digest, err);
    if (result == 0)
        result = ecr_link_blob(ecr, upload->repository, digest, size, err);
    pthread_mutex_unlock(&ecr->files);
    close(fd);
    return result;
}

int ecr_mount(struct ecr *ecr, const char *from, const char *repository, const char *digest,
              struct err *err)
{
    size_t size;
    pthread_mutex_lock(&ecr->files);
    int result = ecr_find_blob(ecr, from, digest, &size, err);
    if (result == 0)
        result = ecr_link_blob(ecr, repository, digest, size, err);
    pthread_mutex_unlock(&ecr->files);
    return result;
}

void ecr_upload_drop(struct ecr *ecr, const struct ecr_upload *upload)
{
    char path[PATH_MAX];
    if (upload_path(ecr, upload, path) == 0)
        unlink(path);
}

/* -- sweeping -- */

/* Digests by their hexadecimal text, sorted. */
struct digests {
    char (*hex)[ECR_DIGEST_BYTES];
    size_t count, capacity;
    int failed;
};

static void take(void *context, const char *digest)
{
    struct digests *all = context;
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? all->capacity * 2 : 256;
        void *bigger = reallocarray(all->hex, capacity, sizeof *all->hex);
        if (!bigger) {
            all->failed = 1;
            return;
        }
        all->hex = bigger;
        all->capacity = capacity;
    }
    snprintf(all->hex[all->count++], sizeof *all->hex, "%.135s", ecr_digest_digits(digest));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

typedef int is_garbage(void *context, const char *path, const char *name);

static void sweep_folder(const char *folder, is_garbage *garbage, void *context)
{
    DIR *entries = opendir(folder);
    for (struct dirent *e; entries && (e = readdir(entries));) {
        char path[PATH_MAX];
        if (e->d_name[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name) < (int)sizeof path &&
            garbage(context, path, e->d_name))
            unlink(path);
    }
    if (entries)
        closedir(entries);
}

static int is_unnamed(void *context, const char *path, const char *name)
{
    const struct digests *all = context;
    (void)path;
    return !all->count || !bsearch(name, all->hex, all->count, sizeof *all->hex, by_text);
}

static int is_old(void *context, const char *path, const char *name)
{
    struct stat status;
    (void)context, (void)name;
    return stat(path, &status) == 0 && time(NULL) - status.st_mtime > ECR_UPLOAD_AGE_S;
}

/* The folders of blobs/, which are made as blobs come. */
static void sweep_blobs(const char *blobs, const struct digests *all)
{
    DIR *entries = opendir(blobs);
    for (struct dirent *e; entries && (e = readdir(entries));) {
        char folder[PATH_MAX];
        if (e->d_name[0] != '.' &&
            snprintf(folder, sizeof folder, "%s/%s", blobs, e->d_name) < (int)sizeof folder)
            sweep_folder(folder, is_unnamed, (void *)all);
    }
    if (entries)
        closedir(entries);
}

static void sweep(struct ecr *ecr)
{
    struct digests all = {0};
    struct err err = {0};
    char folder[PATH_MAX];
    if (ecr_each_blob(ecr, take, &all, &err) < 0 || all.failed) {
        log_line(LOG_ERROR, "ecr: sweep: %s", err.message);
        free(all.hex);
        return;
    }
    if (all.count)
        qsort(all.hex, all.count, sizeof *all.hex, by_text);
    if (snprintf(folder, sizeof folder, "%.4000s/blobs", ecr->folder) > 0)
        sweep_blobs(folder, &all);
    if (snprintf(folder, sizeof folder, "%.4000s/uploads", ecr->folder) > 0)
        sweep_folder(folder, is_old, NULL);
    free(all.hex);
}

void ecr_sweep(struct ecr *ecr)
{
    pthread_mutex_lock(&ecr->files);
    sweep(ecr);
    pthread_mutex_unlock(&ecr->files);
}
