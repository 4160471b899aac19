#ifndef CLOUD_LAMBDA_FUNCTION_H
#define CLOUD_LAMBDA_FUNCTION_H

#include "base/err.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* One revision of a function: immutable and counted, so that requests under way keep the one they
 * began with while a newer one takes the new requests. */

enum {
    FUNCTION_NAME_BYTES = 65,
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
    char *folder;           /* absolute */
};
struct code *code_create(const char *folder);
struct code *code_hold(struct code *code);
void code_release(struct code *code); /* NULL is fine */

struct function {
    atomic_int references;
    atomic_int is_retired; /* replaced or deleted */
    uint64_t generation;   /* grows with every change of any function */
    struct code *code;
    /* What is stored: {"Configuration": FunctionConfiguration as GetFunctionConfiguration gives it,
     * "Code": name of the folder, "ReservedConcurrency": n, "Policy": {..}, "Tags": {..}}; the last
     * three may be absent. */
    json_t *record;
    /* Borrowed from the record: */
    const json_t *configuration;
    const char *name, *arn, *handler, *runtime, *role;
    const json_t *environment; /* object of texts, or NULL */
    long timeout_s, memory_mb, storage_mb;
    long reserved; /* concurrency; -1: none reserved */
};

/* Takes `record` and `code`, also on failure; ERR_CORRUPT when a field is missing. */
struct function *function_create(json_t *record, struct code *code, uint64_t generation,
                                 struct err *err);
struct function *function_hold(struct function *function);
void function_release(struct function *function); /* NULL is fine */

/* The name in what callers give as FunctionName: NAME, ACCOUNT:function:NAME or a whole ARN, each
 * perhaps with ":$LATEST". -1: not a function's name (ERR_INVALID), or another version
 * (ERR_UNSUPPORTED). */
int function_read_name(const char *text, char name[FUNCTION_NAME_BYTES], struct err *err) MUST_USE;

#endif
