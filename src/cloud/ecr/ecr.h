#ifndef CLOUD_ECR_ECR_H
#define CLOUD_ECR_ECR_H

#include "cloud/cloud.h"
#include "cloud/sqlite/database.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>

/* ECR inside: repositories of container images. Two ways in: AWS's JSON protocol (api.c) and the
 * OCI distribution API (oci.c) below /v2/, which podman, skopeo and docker speak.
 *
 * A blob is a plain file DIR/ecr/blobs/ab/abcdef.. named by its digest; a row for each repository
 * that has it makes it visible there. Manifests are small and lie in DIR/ecr/ecr.sqlite with their
 * tags. A blob's file is complete, checked and on the disk before its row is written; a file whose
 * last row is gone is removed; what a crash leaves is removed at the next start. */
struct ecr {
    struct cloud *cloud;
    struct database *database;
    char folder[PATH_MAX]; /* DIR/ecr */
    pthread_mutex_t files; /* held while a blob has a file and no row yet, and by the sweep */
};

enum {
    ECR_MAX_NAME = 256, /* of a repository */
    ECR_MAX_TAG = 128,
    ECR_MAX_MANIFEST_BYTES = 4 * 1024 * 1024,
    ECR_MAX_LAYERS = 4200, /* AWS's limit for an image */
    ECR_MAX_LIST = 1000,
    ECR_MAX_HOMES = 100,
    ECR_MAX_PUSHED_TAGS = 100, /* that one manifest is put under at once */
    ECR_DIGEST_BYTES = 136,    /* "sha512:" and 128 hex digits, and a 0 */
    ECR_MEMORY_BODY_BYTES = 512 * 1024,
    ECR_TOKEN_S = 12 * 3600,
    ECR_UPLOAD_AGE_S = 24 * 3600, /* an upload nobody goes on with */
    ECR_ID_BYTES = 37,            /* a UUID */
};
#define ECR_MAX_BLOB_BYTES ((size_t)10 * 1024 * 1024 * 1024)

/* -- names.c -- */

/* "team/app-1": lower case, as AWS allows. */
int ecr_is_name(const char *text);
int ecr_is_tag(const char *text);
/* "sha256:" and 64 small hex digits, or "sha512:" and 128. */
int ecr_is_digest(const char *text);
/* Behind the algorithm of what is a digest. Those of two algorithms have different lengths. */
const char *ecr_digest_digits(const char *digest);
/* By the algorithm of the digest `like`; SHA-256 where it is none. */
const EVP_MD *ecr_digest_method(const char *like);
void ecr_digest_write(const char *like, const unsigned char *hash, char out[ECR_DIGEST_BYTES]);
void ecr_digest(const char *like, const void *data, size_t size, char out[ECR_DIGEST_BYTES]);

/* -- blobs.c: the files -- */

int ecr_blob_path(const struct ecr *ecr, const char *digest, char out[PATH_MAX]);
/* A blob for reading, after all of it was compared with its digest: ERR_CORRUPT when the disk has
 * changed it. Takes a second for 1 to 2 GB. Returns the file or -1. */
int ecr_blob_open(const struct ecr *ecr, const char *digest, struct err *err);
/* An upload is its repository's alone. Its id comes from clients, too. */
struct ecr_upload {
    const char *repository, *id;
};
/* A new empty upload; fills `id`. */
int ecr_upload_begin(struct ecr *ecr, const char *repository, char id[ECR_ID_BYTES],
                     struct err *err) MUST_USE;
/* Bytes that have come; ERR_NOT_FOUND for no such upload. */
int ecr_upload_size(struct ecr *ecr, const struct ecr_upload *upload, size_t *size,
                    struct err *err) MUST_USE;
/* Adds a request's body at the end, which must be at `from`; ERR_BUSY where it is not. */
enum { ECR_UPLOAD_ANYWHERE = -1 };
int ecr_upload_add(struct ecr *ecr, const struct ecr_upload *upload, int64_t from,
                   const struct body *body, struct err *err) MUST_USE;
/* The upload becomes the blob `digest` of the repository: ERR_INVALID when its bytes are others. */
int ecr_upload_end(struct ecr *ecr, const struct ecr_upload *upload, const char *digest,
                   struct err *err) MUST_USE;
/* A blob of `from` becomes one of `repository` too. ERR_NOT_FOUND. */
int ecr_mount(struct ecr *ecr, const char *from, const char *repository, const char *digest,
              struct err *err) MUST_USE;
void ecr_upload_drop(struct ecr *ecr, const struct ecr_upload *upload);
/* Removes the files that no row names, and old uploads. At start, and after rows went. */
void ecr_sweep(struct ecr *ecr);

/* -- store.c: the rows -- */

extern const char ecr_schema[];

struct ecr_repository {
    char name[ECR_MAX_NAME + 1];
    int64_t created_ms;
    int is_immutable; /* a tag, once set, stays */
    int scan_on_push; /* kept and shown; nothing scans */
};

int ecr_put_repository(struct ecr *ecr, const struct ecr_repository *repository,
                       struct err *err) MUST_USE; /* ERR_EXISTS */
int ecr_get_repository(struct ecr *ecr, const char *name, struct ecr_repository *out,
                       struct err *err) MUST_USE; /* ERR_NOT_FOUND */
int ecr_set_mutability(struct ecr *ecr, const char *name, int is_immutable,
                       struct err *err) MUST_USE;
/* ERR_BUSY when it has images and `force` is 0. */
int ecr_delete_repository(struct ecr *ecr, const char *name, int force, struct err *err) MUST_USE;
/* Calls `take` for each in the order of names, from the first behind `after` on. Stops when it
 * returns non-zero. */
typedef int ecr_take_repository(void *context, const struct ecr_repository *repository);
int ecr_list_repositories(struct ecr *ecr, const char *after, ecr_take_repository *take,
                          void *context, struct err *err) MUST_USE;
/* A text kept with the repository: "policy", "lifecycle", "tags" (JSON). NULL deletes. `out` is in
 * the arena, NULL when there is none. */
int ecr_set_text(struct ecr *ecr, const char *name, const char *kind, const char *text,
                 struct err *err) MUST_USE;
int ecr_get_text(struct ecr *ecr, const char *name, const char *kind, struct arena *arena,
                 const char **out, struct err *err) MUST_USE;

int ecr_link_blob(struct ecr *ecr, const char *repository, const char *digest, size_t size,
                  struct err *err) MUST_USE;
int ecr_find_blob(struct ecr *ecr, const char *repository, const char *digest, size_t *size,
                  struct err *err) MUST_USE; /* ERR_NOT_FOUND */
/* Calls `take` for repositories that have the blob, ECR_MAX_HOMES at most, until it returns
 * non-zero.
 */
typedef int ecr_take_home(void *context, const char *repository);
int ecr_each_home(struct ecr *ecr, const char *digest, ecr_take_home *take, void *context,
                  struct err *err) MUST_USE;
int ecr_unlink_blob(struct ecr *ecr, const char *repository, const char *digest,
                    struct err *err) MUST_USE; /* ERR_NOT_FOUND; ERR_BUSY when an image has it */
/* Calls `take` for each digest that any repository has. */
int ecr_each_blob(struct ecr *ecr, void (*take)(void *context, const char *digest), void *context,
                  struct err *err) MUST_USE;

struct ecr_manifest {
    char digest[ECR_DIGEST_BYTES];
    const char *media_type; /* texts of the caller, or in the arena given */
    const void *content;
    size_t size;
    const char *subject;       /* digest of the manifest it is about; NULL: none */
    const char *artifact_type; /* NULL: none */
    const char *annotations;   /* JSON; NULL: none */
    size_t layers_bytes;       /* of config and layers together */
    int64_t pushed_ms;
    const char *const *blobs; /* digests that must be here, ended by NULL; only for putting */
};

/* With `tags`, ended by NULL, pointing to it, all or none. ERR_EXISTS when one points elsewhere and
 * the repository is immutable. `*was_there` tells whether manifest and tags were so before. */
int ecr_put_manifest(struct ecr *ecr, const char *repository, const struct ecr_manifest *manifest,
                     const char *const *tags, int *was_there, struct err *err) MUST_USE;
/* `reference` is a tag or a digest. With `arena` content and texts are filled too. ERR_NOT_FOUND.
 */
int ecr_get_manifest(struct ecr *ecr, const char *repository, const char *reference,
                     struct arena *arena, struct ecr_manifest *out, struct err *err) MUST_USE;
int ecr_delete_manifest(struct ecr *ecr, const char *repository, const char *digest,
                        struct err *err) MUST_USE;
int ecr_delete_tag(struct ecr *ecr, const char *repository, const char *tag,
                   struct err *err) MUST_USE;
/* One row for each tag of each manifest, and one for a manifest without a tag, in the order of
 * digest and tag; or in the order of tags when `by_tag`, which leaves untagged ones out. */
typedef int ecr_take_image(void *context, const struct ecr_manifest *manifest, const char *tag);
int ecr_list_images(struct ecr *ecr, const char *repository, int by_tag, ecr_take_image *take,
                    void *context, struct err *err) MUST_USE;

/* -- manifest.c -- */

/* Takes a manifest apart: the types and digests it names, all checked. Texts go into the arena.
 * ERR_INVALID. `media_type` is the request's, or NULL. */
int ecr_read_manifest(const char *media_type, const void *data, size_t size, struct arena *arena,
                      struct ecr_manifest *out, const char *const **children,
                      struct err *err) MUST_USE;

/* Puts a manifest whose blobs and children the repository has. Fills `out->digest`. ERR_INVALID,
 * ERR_NOT_FOUND for what is missing, ERR_EXISTS for an immutable tag. */
struct ecr_push {
    const char *repository, *media_type;
    const char *digest;      /* that it must have; NULL: its SHA-256 */
    const char *const *tags; /* ended by NULL */
    const void *data;
    size_t size;
};
int ecr_push(struct ecr *ecr, const struct ecr_push *push, struct arena *arena,
             struct ecr_manifest *out, int *was_there, struct err *err) MUST_USE;

/* -- oci.c, api.c -- */

void ecr_handle_oci(struct ecr *ecr, struct exchange *x);
void ecr_handle_api(struct ecr *ecr, struct exchange *x);
/* "arn:aws:ecr:REGION:ACCOUNT:repository/NAME" in the exchange's arena. */
const char *ecr_arn(const struct ecr *ecr, struct exchange *x, const char *repository);
/* Answers when the signer may not. */
int ecr_authorize(struct ecr *ecr, struct exchange *x, const char *action, const char *repository);

#endif
