#ifndef CLOUD_S3_WRITE_H
#define CLOUD_S3_WRITE_H

#include "cloud/s3/meta.h"

/* What the writes of objects and parts share. Where a function returns -1 the answer is in the
 * exchange. */

enum { S3_CHECKSUM_BYTES = 96 };

/* bucket.c. The request's bucket is there, and `bucket` (may be NULL) filled: a look before
 * anything is written; the write looks again. */
int s3_need_bucket(struct s3_request *r, struct meta_bucket *bucket);

/* put.c. The headers kept with an object, as "Name: value\n" lines in the arena; NULL: answered. */
const char *s3_kept_headers(struct s3_request *r);
/* Which checksum the client gave: its kind, and its text where that came too. */
int s3_given_checksum(struct s3_request *r, enum checksum_kind *kind, const char **text);
/* -1, answered: no such algorithm is known. */
int s3_fail_algorithm(struct s3_request *r);
/* -1, answered: the client did not say how long the body is. */
int s3_need_length(struct s3_request *r);
/* -1, answered: AWS takes this request with a digest of its body only; `names` is its word for them
 * (a checksum of S3's is enough even where only Content-MD5 is named). */
#define S3_ANY_DIGEST "Content-MD5 OR x-amz-checksum-*"
int s3_need_digest(struct s3_request *r, const char *names);
/* Digest the body, with the client's kind of checksum or else the `usual` one, and compare with all
 * that the client said of it. `content` must be finished in any case. */
int s3_take_body(struct s3_request *r, enum checksum_kind usual, struct content *content);
/* The same of what becomes an object: the md5 of a small one may be left to its row's write. */
int s3_take_object(struct s3_request *r, struct content *content);
/* The etag of 16 bytes; with parts > 0 "hex-parts". */
void s3_etag(const unsigned char md5[16], size_t parts, char out[S3_ETAG_BYTES]);
/* "CRC32 FULL_OBJECT base64", or "" when the content has no checksum. */
void s3_full_checksum(const struct content *content, char out[S3_CHECKSUM_BYTES]);

/* What a new object has beside its content. */
struct s3_extras {
    const char *headers; /* s3_kept_headers() */
    const char *tags, *acl;
};
/* From the request's headers. -1: answered. */
int s3_read_extras(struct s3_request *r, struct s3_extras *out);

/* Make stored content the object, under the request's conditions; else the file is removed. Puts
 * the version and the expiry into the answer's head. */
struct s3_commit {
    const struct s3_extras *extras;
    char *etag; /* written when the content's md5 is due */
    const char *checksum;
    const char *upload; /* that ends with it, or NULL */
    int64_t upload_created_ms;
    const char *list;  /* struct meta_put */
    const char *parts; /* struct meta_object */
    const char *event; /* "ObjectCreated:Put" */
};
int s3_commit(struct s3_request *r, const struct content *content, const struct s3_commit *commit);
/* x-amz-version-id of a new version; AWS tells no "null" of one. */
void s3_reply_made_version(struct s3_request *r, const char *version);
/* Store a digested body as the object. -1: answered. */
int s3_store_object(struct s3_request *r, struct content *content, const struct s3_extras *extras,
                    const char *event, char etag[S3_ETAG_BYTES]);
/* 412 with the header that did not hold. */
void s3_fail_condition(struct s3_request *r, const char *header);
/* Answer for an outcome that is not META_DONE. */
void s3_fail_outcome(struct s3_request *r, enum meta_outcome outcome);
/* What the rows said of new content: 0 when it is theirs, else -1: answered, the file is gone. */
int s3_settle(struct s3_request *r, const struct content *content, int result,
              enum meta_outcome outcome, const struct err *err);

/* multipart.c. The upload that the query names. */
int s3_need_upload(struct s3_request *r, struct meta_upload *upload);
/* The kind of checksum its parts have; `*is_composite` is left alone for CHECKSUM_NONE. */
enum checksum_kind s3_upload_checksum(const struct meta_upload *upload, int *is_composite);

/* copy.c. The object that x-amz-copy-source names, under its conditions. */
int s3_copy_source(struct s3_request *r, struct meta_object *source, int *is_self);
void s3_answer_copied(struct s3_request *r, const char *root, const char *etag,
                      const struct content *content);

/* get.c. The version that the query names, or the current one: an object, no delete marker. -1:
 * answered. */
int s3_need_version(struct s3_request *r, struct meta_object *object);
/* x-amz-version-id where the bucket has versions. */
void s3_reply_version(struct s3_request *r, const struct meta_object *object);
/* 404 for a key without a current version; `marker` is filled when that is deleted. */
void s3_fail_absent(struct s3_request *r, const struct meta_object *marker);
/* The query's versionId, or NULL. -1: it is none, which is answered. */
int s3_read_version(struct s3_request *r, const char **version);

/* document.c. The body as a tree that the rules allow; NULL: answered, with MalformedXML or the
 * code given. */
struct tree;
struct tree_rule;
struct tree *s3_take_tree(struct s3_request *r, const char *root, const struct tree_rule *rules);
struct tree *s3_take_tree_as(struct s3_request *r, const char *root, const struct tree_rule *rules,
                             const char *code);
/* -1, answered: the body is longer. */
int s3_check_size(struct s3_request *r, size_t most_bytes);
/* policy.c. The body as a policy; NULL: answered. */
const char *s3_take_policy(struct s3_request *r);

/* tags.c. "a=b&c=d" of x-amz-tagging, checked and in one form; NULL: answered. */
const char *s3_read_tags(struct s3_request *r, const char *text);
/* The same of a checked <Tagging> document. */
const char *s3_tags_of_tree(struct s3_request *r, const struct tree *config);
/* Characters, as AWS counts those of tags. */
size_t s3_letters(const char *text);
/* How many, and the value of a key (decoded, in the arena; NULL: it has none). */
size_t s3_tag_count(const char *tags);
int s3_tags_have(const char *tags, const char *key, const char *value);
const char *s3_tag_value(struct s3_request *r, const char *tags, const char *key);

/* attributes.c. Parts of an object that came in parts (object->parts is filled); 0: it did not. */
size_t s3_part_count(const struct meta_object *object);
/* Where part `number` (from 1) lies; -1: there is none. The whole is part 1 of an object that did
 * not come in parts. */
struct s3_part_place {
    size_t offset, size;
    char checksum[CHECKSUM_TEXT_BYTES]; /* "": it has none of its own */
};
int s3_part_at(const struct meta_object *object, size_t number, struct s3_part_place *out);

/* lifecycle.c. x-amz-expiration where a rule will end the object; x-amz-abort-date and -rule-id
 * where one will end the upload. */
void s3_reply_expiration(struct s3_request *r, const struct meta_object *object);
void s3_reply_abort(struct s3_request *r, const struct meta_upload *upload);
/* encryption.c. What the request asks of it: -1, answered. And x-amz-server-side-encryption. */
int s3_check_encryption(struct s3_request *r);
void s3_reply_encryption(struct s3_request *r);
/* cors.c. Access-Control-* of the answer, when the request has an Origin that a rule knows. */
void s3_reply_cors(struct s3_request *r);

#endif
