#ifndef CLOUD_CLOUD_H
#define CLOUD_CLOUD_H

#include "base/err.h"
#include "cloud/access.h"
#include "cloud/exchange.h"
#include "cloud/lambda/isolation.h"

#include <stdint.h>

/* The embedded cloud: a data folder, a port, and services behind it.
 *
 * How a service plugs in (folder src/cloud/NAME/):
 *   - it has a meson.build that makes NAME_lib with dependency cloud_core_dep and adds itself by
 *     `cloud_services += declare_dependency(link_with: NAME_lib)`; src/cloud/meson.build has its
 *     subdir() line;
 *   - it has one row in cloud/services.h, in the order of creation: what it needs stands above it;
 *   - `int NAME_service_create(struct cloud *cloud, struct err *err)` makes its state (SQLite files
 *     and folders below cloud->data_folder; cloud/sqlite/database.h for tables) and registers it by
 *     cloud_add(), once for each signature scope that it answers to. What other services need of it
 *     it stores in the matching field of `struct cloud` (metrics, logs, lambda).
 * Life: all create() in order; port opened; all start() in order; requests; all stop() in order;
 * remaining exchanges answered; all destroy() in reverse order. When a create() fails after
 * cloud_add(), destroy() is still called for what was added. */

struct delivery_target; /* cloud/deliver.h */
struct certificate;     /* cloud/certificate.h */

enum {
    CLOUD_MAX_SERVICES = 32,
    CLOUD_MAX_TARGETS = 4,
    CLOUD_DEFAULT_PORT = 4566,
    CLOUD_DRAIN_MS = 10000
};
#define CLOUD_ACCOUNT_ID "000000000000"

struct cloud_options {
    const char *data_folder;       /* made when absent; one cloud at a time */
    const char *listen;            /* "127.0.0.1:4566", "[::1]:0"; port 0: any free one */
    const char *region;            /* "us-east-1" */
    const char *access_key_id;     /* the administrator's; NULL: from, or new in, */
    const char *secret_access_key; /* DIR/credentials, and told in `own` */
    struct cloud_credentials *own;
    enum isolation isolation; /* of functions */
    int anonymous;            /* take unsigned requests as the administrator's */
    int encrypted_disk;       /* the data folder's, with AES-256: S3 says so of each object */
    int tls;                  /* speak TLS, with a certificate of the cloud's own ... */
    const char *certificate_path, *key_path; /* ... or with this one; both or none */
    unsigned workers;                        /* threads that run handle(); 0: a default */
};

struct cloud {
    const char *data_folder, *region, *account_id;
    const char *endpoint; /* "http://127.0.0.1:4566": once the port is open, so from start() on */
    const char *inner_endpoint;      /* the same for functions: always plain HTTP */
    struct certificate *certificate; /* NULL: plain HTTP */
    const char *spool_folder; /* for large bodies; on the data folder's disk, emptied at start */
    enum isolation isolation;
    /* For people; waits until it is known. Set by the lambda service's start(). */
    const char *(*isolation_text)(const struct cloud *cloud);
    struct identities *identities;
    struct front *front;
    struct metrics *metrics; /* set by the cloudwatch service; NULL before */
    struct logs *logs;       /* set by the logs service */
    struct s3 *s3;           /* set by the s3 service */
    struct sqs *sqs;         /* set by the sqs service */
    struct lambda *lambda;   /* set by the lambda service */
    struct ecr *ecr;         /* set by the ecr service */
    struct service services[CLOUD_MAX_SERVICES];
    size_t service_count;
    struct delivery_target *targets; /* CLOUD_MAX_TARGETS; what cloud_deliver() can reach */
    size_t target_count;
    struct access_judge judge; /* set by the iam service */
    int anonymous;             /* unsigned requests are the administrator's */
    int encrypted_disk;        /* the operator's word for it */
    size_t trees_bytes;        /* cloud/trees.h; atomic */
    int lock_fd;               /* of the data folder */
};

/* Opens the data folder, makes the services and starts to answer. NULL on failure: ERR_BUSY when
 * the folder or the port is in use. */
struct cloud *cloud_start(const struct cloud_options *options, struct err *err);
/* Stops listening, answers what was asked for at most CLOUD_DRAIN_MS, closes everything. NULL is
 * fine. */
void cloud_stop(struct cloud *cloud);

/* The administrator's credentials: made new in DIR/credentials when there are none yet
 * (`*made` = 1). Text fields are the caller's. */
struct cloud_credentials {
    char access_key_id[129], secret_access_key[129];
    int made;
};
int cloud_credentials(const char *data_folder, struct cloud_credentials *out,
                      struct err *err) MUST_USE;

/* Register a service; the struct is copied, its strings and self are borrowed. */
int cloud_add(struct cloud *cloud, const struct service *service, struct err *err) MUST_USE;

/* "DIR/name" into `out`. */
int cloud_path(const struct cloud *cloud, const char *name, char *out, size_t out_bytes,
               struct err *err) MUST_USE;

#endif
