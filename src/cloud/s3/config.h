#ifndef CLOUD_S3_CONFIG_H
#define CLOUD_S3_CONFIG_H

#include "cloud/s3/meta.h"
#include "cloud/s3/tree.h"

/* The configurations of a bucket: its CORS rules, its lifecycle, its policy and so on. Each is kept
 * as the text that a GET answers. They are named by their query parameter ("cors"). */

enum { CONFIG_MAX_BYTES = 256 * 1024, CONFIG_TREE_BYTES = 4 * 1024 * 1024 };

/* The text; 1: found, 0: not, -1: failed. In the arena of r->x. */
int config_read(struct s3_request *r, const char *bucket, const char *name, const char **value,
                struct err *err);
/* The same inside a transaction or with a connection at hand. */
int config_read_row(struct connection *c, struct arena *arena, const char *bucket, const char *name,
                    const char **value, struct err *err);
/* Durable when it returns 0. NULL removes it. */
int config_write(struct s3_request *r, const char *name, const char *value,
                 enum meta_outcome *outcome, struct err *err) MUST_USE;
/* As a tree; 1, 0, -1. */
int config_tree(struct s3_request *r, const char *bucket, const char *name, struct tree **tree,
                struct err *err);

/* What a kind's own check may do: refuse (-1: answered) or change the tree (give rules an ID). */
int lifecycle_check(struct s3_request *r, struct tree *config);
int cors_check(struct s3_request *r, struct tree *config);
int encryption_check(struct s3_request *r, struct tree *config);
int tags_check_bucket(struct s3_request *r, struct tree *config);

/* How many buckets have a lifecycle: while there are none nobody needs to look. Atomic. */
int config_count_lifecycles(struct s3 *s3, struct err *err);

#endif
