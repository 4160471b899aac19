#ifndef CLOUD_S3_META_H
#define CLOUD_S3_META_H

#include "cloud/s3/content.h"

/* The rows behind buckets, objects, uploads and parts. Text that a read gives lies in the
 * exchange's arena. */

extern const char s3_schema[];

/* Of a bucket; once on it can only be suspended. */
enum versioning { VERSIONING_OFF, VERSIONING_ENABLED, VERSIONING_SUSPENDED };

struct meta_bucket {
    const char *name, *region;
    int64_t created_ms;
    enum versioning versioning;
};

/* The current versions of all keys that have one are rows of `objects`, one a key: a look-up is one
 * probe, and a list never sees an old version or a delete marker. All others are rows of `history`,
 * by sequence. The newest version of a key is in `objects` unless it is a delete marker. */
struct meta_object {
    const char *key, *etag;
    const char *file;     /* below DIR/s3/objects, or "#1234": in a row of `contents` */
    const char *headers;  /* "Name: value\n" lines: Content-Type, x-amz-meta-... */
    const char *checksum; /* "CRC32 FULL_OBJECT base64", or "" */
    const char *version;  /* "null", or what s3_version_make() made */
    const char *tags;     /* "a=b&c=d", percent-encoded; "" */
    const char *acl;      /* its grants (acl.h); "": private */
    const char *parts;    /* "number size checksum\n" of each; "" when it did not come in parts */
    int64_t size, modified_ms;
    int64_t sequence; /* grows with every version of a key; unix_us where the clock allows */
    const uint32_t *blocks;
    size_t block_count;
    const void *data; /* of a small one that is put, or a copy's source; `size` bytes. Else NULL */
    int is_marker;    /* it says that the key was deleted; has no content */
    enum versioning versioning; /* its bucket's */
};

/* 1: found, 0: not, -1: failed. `out` may be NULL. */
int meta_bucket(struct s3_request *r, const char *bucket, struct meta_bucket *out, struct err *err);
/* The current version. When there is none because the newest is a delete marker, the result is 0
 * and out->is_marker 1. */
int meta_object(struct s3_request *r, const char *bucket, const char *key, struct meta_object *out,
                struct err *err);
/* One version, which may be a delete marker; `version` NULL: as meta_object(). */
int meta_version(struct s3_request *r, const char *bucket, const char *key, const char *version,
                 struct meta_object *out, struct err *err);
/* The content of a small object, by its "#1234", into `size` bytes. 1, 0: it has gone, -1. */
int meta_content(struct s3_request *r, const char *file, void *out, size_t size, struct err *err);
/* The parts of one version: fills out->parts. */
int meta_object_parts(struct s3_request *r, const char *bucket, struct meta_object *out,
                      struct err *err);

/* Version ids: 32 letters that hold the sequence. -1: it is none. */
enum { S3_VERSION_BYTES = 33 };
void s3_version_make(int64_t sequence, char out[S3_VERSION_BYTES]);
int64_t s3_version_sequence(const char *version);

/* What must hold for a write. */
struct meta_condition {
    const char *if_match, *if_none_match; /* header values, or NULL */
};
enum meta_outcome {
    META_DONE,
    META_NO_BUCKET,
    META_CONDITION_FAILED, /* 412 */
    META_CONFLICT,         /* 409: the key was written or deleted since the upload began */
    META_NO_OBJECT,        /* If-Match without an object: 404 */
    META_NO_UPLOAD,
    META_NO_VERSION,
    META_EXISTS,
    META_NOT_EMPTY,
};

/* Writes are durable when these return 0; `outcome` says what they came to. Files that lost their
 * row are removed. */
int meta_create_bucket(struct s3_request *r, const char *region, enum meta_outcome *outcome,
                       struct err *err) MUST_USE;
int meta_delete_bucket(struct s3_request *r, enum meta_outcome *outcome, struct err *err) MUST_USE;
int meta_set_versioning(struct s3_request *r, enum versioning versioning,
                        enum meta_outcome *outcome, struct err *err) MUST_USE;

/* Make `object` the key's current version. */
struct meta_put {
    const struct meta_object *object;
    struct meta_condition condition;
    const char *upload; /* ends, with its parts, in the same step; NULL: none */
    int64_t upload_created_ms;
    const char *list;  /* which parts were asked for, remembered with the upload's end */
    const char *event; /* "ObjectCreated:Put" */
    char *etag;        /* the object's, of its data, which is made here; NULL: it has one */
    /* out */
    enum meta_outcome outcome;
    char version[S3_VERSION_BYTES]; /* "" in a bucket that never had versions */
};
int meta_put_object(struct s3_request *r, struct meta_put *put, struct err *err) MUST_USE;

/* One key of a deletion. */
struct meta_delete {
    const char *key;
    const char *version; /* NULL: the key, which leaves a marker where there are versions */
    struct meta_condition condition; /* if_match only */
    const char *event_suffix;        /* NULL: by a client; "lifecycle": by expiry */
    int64_t only_sequence;           /* > 0: only when that is still the current one */
    /* out */
    enum meta_outcome outcome;
    int made_marker, removed_marker;
    char out_version[S3_VERSION_BYTES]; /* of the marker made or the version removed; "" */
};
/* META_NO_BUCKET in `outcome`, else each has its own. */
int meta_delete_objects(struct s3_request *r, struct meta_delete *deletes, size_t count,
                        enum meta_outcome *outcome, struct err *err) MUST_USE;

/* Change tags or grants of one version (NULL: the current one); NULL leaves one as it is. */
struct meta_change {
    const char *version, *tags, *acl, *event;
    /* out */
    enum meta_outcome outcome;
    char out_version[S3_VERSION_BYTES];
};
int meta_change_object(struct s3_request *r, struct meta_change *change, struct err *err) MUST_USE;

/* -- uploads in parts -- */

struct meta_upload {
    const char *id, *key, *headers;
    const char *algorithm; /* "CRC32 COMPOSITE", or "" */
    const char *tags, *acl;
    int64_t created_ms;
};
struct meta_part {
    int64_t number, size, modified_ms;
    const char *file, *etag, *checksum; /* base64, or "" */
    const char *crc64;                  /* CRC64NVME, the same way */
    const uint32_t *blocks;
    size_t block_count;
};
int meta_upload(struct s3_request *r, const char *id, struct meta_upload *out, struct err *err);
int meta_create_upload(struct s3_request *r, const struct meta_upload *upload,
                       enum meta_outcome *outcome, struct err *err) MUST_USE;
int meta_put_part(struct s3_request *r, const char *upload, const struct meta_part *part,
                  enum meta_outcome *outcome, struct err *err) MUST_USE;
int meta_abort_upload(struct s3_request *r, const char *upload, enum meta_outcome *outcome,
                      struct err *err) MUST_USE;
/* What an upload became, for META_KEEPS_COMPLETED_MS after it: 1, 0 or -1. */
enum { META_KEEPS_COMPLETED_MS = 24 * 3600 * 1000 };
struct meta_completed {
    const char *list, *etag, *checksum;
    const char *version; /* as in struct meta_put */
};
int meta_completed(struct s3_request *r, const char *id, struct meta_completed *out,
                   struct err *err);
/* All parts of an upload in order into `parts` (arena); returns how many, or -1. */
int64_t meta_parts(struct s3_request *r, const char *upload, struct meta_part **parts,
                   struct err *err);
/* The uploads of the bucket from a place on, by key and time; at most `limit`. */
struct meta_upload_page {
    const char *key_marker, *id_marker, *prefix; /* "" for none */
};
int64_t meta_uploads(struct s3_request *r, const struct meta_upload_page *page,
                     struct meta_upload **uploads, size_t limit, struct err *err);

/* -- at start -- */

/* Bring a folder made by an older program up to date. */
int meta_upgrade(struct s3 *s3, struct err *err) MUST_USE;

/* Remove the files that have no row. */
int meta_sweep(struct s3 *s3, struct err *err) MUST_USE;

#endif
