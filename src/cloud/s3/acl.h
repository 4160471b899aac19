#ifndef CLOUD_S3_ACL_H
#define CLOUD_S3_ACL_H

#include "cloud/s3/meta.h"

/* Access control lists. Kept as lines "READ uri http://..." or "FULL_CONTROL id <canonical id>"; ""
 * is the owner alone with FULL_CONTROL, "-" nobody. There is one account, so grantees are its owner
 * and the groups. */

enum { ACL_MAX_GRANTS = 100 };

/* The list that x-amz-acl or x-amz-grant-* headers ask for; "" without them, then `*given` is 0.
 * NULL: answered. */
const char *acl_of_headers(struct s3_request *r, int *given);
/* The list of an AccessControlPolicy document in the body. NULL: answered. */
const char *acl_of_body(struct s3_request *r);
/* Does the bucket take that list? -1: answered. */
int acl_is_taken(struct s3_request *r, const char *acl);
/* Does a list let everybody, or everybody who signs as this request's sender did, do the action on
 * the bucket, or on the key in it? 1, 0 or -1. */
int acl_lets_anyone(struct s3_request *r, const char *action, const char *bucket, const char *key,
                    struct err *err);

void s3_get_acl(struct s3_request *r);
void s3_put_acl(struct s3_request *r);

/* For requests that nobody signed, before their body comes: 0 to go on, -1: answered. */
int s3_admit(void *self, struct exchange *x);

#endif
