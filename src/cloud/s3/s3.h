#ifndef CLOUD_S3_S3_H
#define CLOUD_S3_S3_H

#include "base/buf.h"
#include "cloud/checksum.h"
#include "cloud/cloud.h"
#include "cloud/s3/etags.h"
#include "cloud/sqlite/database.h"

#include <pthread.h>

/* S3 inside: what its operations share. Objects are plain files under DIR/s3/objects, whose names
 * come from a hash of bucket and key and a random part; a row in DIR/s3/meta.db makes such a file
 * an object. A file is complete and on the disk before its row is written, and removed after its
 * row is gone or points to another, so that at any moment an object is the old or the new one.
 * Files without a row, which a crash leaves, are removed at the next start. */

struct outbox;
struct expiry;

struct s3 {
    struct cloud *cloud;
    struct database *database;
    struct checksums *checksums;
    struct outbox *outbox; /* NULL until the service starts */
    struct expiry *expiry;
    struct etags etags;
    pthread_mutex_t room_lock;
    int has_room;      /* content_store() has found or made its folders */
    size_t held_bytes; /* of answers in memory; atomic */
    int lifecycles;    /* buckets that have one; atomic */
    int64_t day_ms;    /* of a lifecycle; 24 hours but in tests */
    char owner_id[65]; /* canonical user id: hex */
    char folder[4096]; /* DIR/s3 */
};

#define S3_OWNER_NAME "ken"

enum {
    S3_MAX_KEY_BYTES = 1024,
    S3_MAX_METADATA_BYTES = 2048, /* of x-amz-meta-* together */
    S3_MAX_HEADERS_BYTES = 16 * 1024,
    S3_MAX_LIST = 1000,
    S3_MAX_DELETE = 1000,
    S3_MAX_PARTS = 10000,
    S3_MAX_DELETE_BYTES = 2048000, /* of a list of keys, of one of parts */
    S3_MAX_COMPLETE_BYTES = 2621440,
    S3_MEMORY_BODY_BYTES = 512 * 1024,
    S3_ETAG_BYTES = 56, /* 32 hex digits, '-', part count */
};
#define S3_MAX_OBJECT_BYTES ((size_t)5 * 1024 * 1024 * 1024)
#define S3_MIN_PART_BYTES ((size_t)5 * 1024 * 1024)
#define S3_NAMESPACE "http://s3.amazonaws.com/doc/2006-03-01/"

struct s3_request;

enum s3_subject { ON_SERVICE, ON_BUCKET, ON_OBJECT };

/* A new operation is a row (operations.c) and a function. */
struct s3_operation {
    const char *name, *method;
    enum s3_subject subject;
    const char *query;  /* the parameter that it needs, or NULL */
    const char *value;  /* and its value, NULL: any */
    const char *header; /* the header that it needs, or NULL */
    const char *action; /* that is asked for by exchange_authorize(); NULL: run() asks itself */
    const char *version_action; /* the same with versionId */
    const char *parameters;     /* all that it takes in the query, with a space between */
    int is_open;                /* run() itself says who may, and of unsigned requests too */
    void (*run)(struct s3_request *r);
};

/* What a request is about. */
struct s3_request {
    struct s3 *s3;
    struct exchange *x;
    const char *bucket, *key; /* NULL: about the service, about a bucket */
    const struct s3_operation *operation;
    int has_events; /* noted in the running transaction (events.h) */
};

/* -- operations.c -- */

/* The first row that fits; NULL: none. */
const struct s3_operation *s3_find_operation(struct s3_request *r);

/* -- unknown.c -- */

/* -1: the request asks for what is not offered here; that is answered by name. */
int s3_refuse_unknown(struct s3_request *r);

/* -- who.c -- */

/* The action that the operation is. */
const char *s3_action(struct s3_request *r);
/* May the signer (or nobody in particular) do the action on bucket and key (NULL: on the bucket)?
 * -1: why, or a failure. */
int s3_may(struct s3_request *r, const char *action, const char *bucket, const char *key,
           struct err *why);
/* The same; -1: answered. */
int s3_authorize(struct s3_request *r, const char *action, const char *bucket, const char *key);

/* -- names.c -- */

/* Fill bucket and key from Host and path. -1: the answer is in the exchange. */
int s3_address(struct s3_request *r);
int s3_bucket_name_is_valid(const char *name);

/* -- text.c: what goes over the wire -- */

enum { S3_TIME_BYTES = 32 };
void s3_http_time(int64_t unix_ms, char out[S3_TIME_BYTES]); /* "Mon, 23 Nov 2026 06:02:12 GMT" */
int s3_read_http_time(const char *text, int64_t *unix_s);    /* -1: it is none */
/* 1: modified after that date, 0: not, -1: it is no date, and a condition with it is none. */
int s3_changed_since(int64_t modified_ms, const char *date);
/* The same for If-Modified-Since (`date` may be NULL): AWS asks nothing by a date that is still to
 * come. */
int s3_unchanged_since(const struct exchange *x, int64_t modified_ms, const char *date);
/* <name>text</name>, escaped. */
void s3_xml(struct buf *out, const char *name, const char *text);
void s3_xml_begin(struct buf *out, const char *root);
/* The class that an object's kept headers name, or "STANDARD". */
const char *s3_storage_class(const char *headers, struct arena *arena);
/* Send it, or 500 when it did not fit. Frees the buffer. */
void s3_xml_send(struct exchange *x, struct buf *out);
/* Append percent-encoded: for encoding-type=url, '/' stays. */
void s3_url_encode(struct buf *out, const char *text);
/* `etag` in quotes as a header or an XML text. */
void s3_reply_etag(struct exchange *x, const char *etag);
/* Does the list of an If-Match or If-None-Match header name the etag? */
int s3_etag_listed(const char *list, const char *etag);
/* A number of a query or header; -1 when it is none or out of range. */
int64_t s3_number(const char *text, int64_t max);

/* <Owner> or another element with the account's id and name. */
void s3_xml_owner(struct buf *out, const struct s3 *s3);
void s3_xml_user(struct buf *out, const struct s3 *s3, const char *element);

/* -- operations, by file; see the table in operations.c -- */

void s3_list_buckets(struct s3_request *r);
void s3_create_bucket(struct s3_request *r);
void s3_head_bucket(struct s3_request *r);
void s3_delete_bucket(struct s3_request *r);
void s3_get_bucket_location(struct s3_request *r);
void s3_get_bucket_versioning(struct s3_request *r);
void s3_put_bucket_versioning(struct s3_request *r);
void s3_get_policy_status(struct s3_request *r);
void s3_get_config(struct s3_request *r);
void s3_put_config(struct s3_request *r);
void s3_delete_config(struct s3_request *r);
void s3_get_acl(struct s3_request *r);
void s3_put_acl(struct s3_request *r);
void s3_list_objects(struct s3_request *r);
void s3_list_objects_v2(struct s3_request *r);
void s3_list_object_versions(struct s3_request *r);
void s3_put_object(struct s3_request *r);
void s3_post_object(struct s3_request *r);
void s3_copy_object(struct s3_request *r);
void s3_get_object(struct s3_request *r);
void s3_head_object(struct s3_request *r);
void s3_get_object_attributes(struct s3_request *r);
void s3_get_object_tagging(struct s3_request *r);
void s3_put_object_tagging(struct s3_request *r);
void s3_delete_object_tagging(struct s3_request *r);
void s3_delete_object(struct s3_request *r);
void s3_delete_objects(struct s3_request *r);
void s3_create_multipart_upload(struct s3_request *r);
void s3_upload_part(struct s3_request *r);
void s3_upload_part_copy(struct s3_request *r);
void s3_complete_multipart_upload(struct s3_request *r);
void s3_abort_multipart_upload(struct s3_request *r);
void s3_list_parts(struct s3_request *r);
void s3_list_multipart_uploads(struct s3_request *r);
void s3_preflight(struct s3_request *r);

/* The policy document of a bucket, for exchange_authorize(). 1: found, 0: it has none, -1: failed.
 * In the exchange's arena. */
int s3_bucket_policy(struct s3 *s3, struct exchange *x, const char *bucket, const char **document,
                     struct err *err);

/* Answer a failure of the stores below; knows NoSuchBucket and the like by what `err` says. */
void s3_fail(struct s3_request *r, const struct err *err);
void s3_fail_no_bucket(struct s3_request *r);
void s3_fail_no_key(struct s3_request *r);
void s3_fail_no_version(struct s3_request *r, const char *key, const char *version);
void s3_fail_malformed(struct s3_request *r); /* MalformedXML */
/* Always -1. */
int s3_fail_long_key(struct s3_request *r, size_t bytes);
/* InvalidArgument with ArgumentName and ArgumentValue (NULL: without). */
void s3_fail_argument(struct s3_request *r, const char *name, const char *value,
                      const char *message);
/* 501 with the name: s3_fail_not_offered(r, "header", "x-amz-mfa"). */
void s3_fail_not_offered(struct s3_request *r, const char *what, const char *name);
/* 501 as AWS itself says it of a header, with what is more to say. */
void s3_fail_not_implemented(struct s3_request *r, const char *header, const char *more);

#endif
