#ifndef CLOUD_LAMBDA_FUNCTION_H
#define CLOUD_LAMBDA_FUNCTION_H

#include "base/err.h"

#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* One revision of a function: immutable and counted, so that requests under way keep the one they
 * began with while a newer one takes the new requests. */

enum {
    FUNCTION_NAME_BYTES = 65,
    FUNCTION_QUALIFIER_BYTES = 129,
    FUNCTION_KEY_BYTES = FUNCTION_NAME_BYTES + 21, /* NAME:VERSION */
    FUNCTION_ARN_BYTES = 320,
    FUNCTION_MAX_ENVIRONMENT_BYTES = 4096,
    FUNCTION_MIN_MEMORY_MB = 128,
    FUNCTION_MAX_MEMORY_MB = 10240,
    FUNCTION_MIN_STORAGE_MB = 512,
    FUNCTION_MAX_STORAGE_MB = 10240,
    FUNCTION_MAX_TIMEOUT_S = 900,
};

/* The unpacked files of a revision; several revisions may share them. */
struct code {
    atomic_int references;
    atomic_int is_obsolete; /* the folder goes with the last reference */
    atomic_int state;       /* enum code_state */
    pthread_mutex_t check;
    char *folder; /* absolute; ends in "-" and the sum of its files, 16 hex digits: code_sum.h */
};
enum code_state { CODE_UNKNOWN, CODE_WHOLE, CODE_DAMAGED };
struct code *code_create(const char *folder);
/* ERR_CORRUPT when the files are not what was unpacked. Reads all of them, the first time; what an
 * older program has kept without a sum is taken as it is. */
int code_check(struct code *code, struct err *err) MUST_USE;
struct code *code_hold(struct code *code);
void code_release(struct code *code); /* NULL is fine */
/* Where the zip is that it was unpacked from; it goes with the folder, too. */
int code_zip(const struct code *code, char path[PATH_MAX]);

struct function {
    atomic_int references;
    atomic_int is_retired; /* replaced or deleted */
    uint64_t generation;   /* grows with every change of any function */
    uint64_t incarnation;  /* the same as long as instances may go on: aliases, tags .. changed */
    struct code *code;
    /* What is stored: {"Configuration": FunctionConfiguration as GetFunctionConfiguration gives it,
     * "Code": name of the folder, "Image": of a container image, as image.h has it} and, of $LATEST
     * only and each perhaps absent, "LastVersion": n, "PublishedDescription": "..",
     * "ReservedConcurrency": n, "Tags": {..},
     * "Policies": {QUALIFIER: ..}, "Aliases": {NAME: AliasConfiguration}, "EventInvokeConfigs":
     * {QUALIFIER: ..}, "Provisioned": {QUALIFIER: ..}, "Urls": {QUALIFIER: ..},
     * "Runtimes": {QUALIFIER: ..}. QUALIFIER is "$LATEST", a version or an alias. */
    json_t *record;
    char key[FUNCTION_KEY_BYTES]; /* NAME, or NAME:VERSION of a published version */
    atomic_int ready;             /* instances that are warm; the manager's */
    atomic_int init_failed;       /* the last instance did not come up; the manager's */
    /* Borrowed from the record: */
    const json_t *configuration;
    const char *name, *version, *arn, *handler, *runtime, *role;
    const char *log_group;     /* NULL: /aws/lambda/NAME */
    const json_t *environment; /* object of texts, or NULL */
    const json_t *urls;        /* of the record, or NULL */
    const json_t *image;       /* of the record: it is of a container image; NULL: of a zip */
    long timeout_s, memory_mb, storage_mb;
    long reserved; /* concurrency; -1: none reserved */
};

/* Takes `record` and `code`, also on failure; ERR_CORRUPT when a field is missing. */
struct function *function_create(json_t *record, struct code *code, uint64_t generation,
                                 struct err *err);
struct function *function_hold(struct function *function);
void function_release(struct function *function); /* NULL is fine */

/* The key that a record has. ERR_CORRUPT: it has none. */
int function_read_key(const json_t *record, char key[FUNCTION_KEY_BYTES], struct err *err) MUST_USE;
int function_is_latest(const struct function *function); /* $LATEST, not a published version */

/* What callers give as FunctionName: NAME, ACCOUNT:function:NAME or a whole ARN, each perhaps with
 * ":QUALIFIER": $LATEST, a version or an alias. ERR_INVALID: not the name of a function. */
struct function_reference {
    char name[FUNCTION_NAME_BYTES];
    char qualifier[FUNCTION_QUALIFIER_BYTES]; /* "": none */
    char account[13], region[33];             /* "": none was named */
};
/* ERR_TOO_BIG: more than 64 letters. */
int function_read_reference(const char *text, struct function_reference *out,
                            struct err *err) MUST_USE;
int function_refuse_name(const char *text, struct err *err); /* -1, ERR_INVALID */
/* 1 for "$LATEST", "12" or the name of an alias. */
int function_qualifier_is_valid(const char *qualifier);
int function_qualifier_is_version(const char *qualifier); /* digits only */

#endif
