#ifndef CLOUD_LAMBDA_REGISTRY_H
#define CLOUD_LAMBDA_REGISTRY_H

#include "base/err.h"
#include "cloud/lambda/function.h"

#include <stddef.h>

/* The functions that exist, on disk and in memory, by key: NAME is a function as it is now
 * ($LATEST), NAME:VERSION a published version. FOLDER/functions/KEY.json holds its record (mode
 * 0600: environments hold secrets), FOLDER/code/ID/ the unpacked files that records share. A record
 * is replaced as a whole, and only after the files it names are on the disk. Thread safe; finding a
 * function never waits for a disk. */
struct registry;

enum { REGISTRY_MAX_FUNCTIONS = 4000, REGISTRY_MAX_RECORD_BYTES = 256 * 1024 };

struct registry *registry_open(const char *folder, struct err *err);
void registry_close(struct registry *registry); /* NULL is fine */

/* Held for the caller; NULL when there is none. */
struct function *registry_find(struct registry *registry, const char *key);
struct function *registry_find_version(struct registry *registry, const char *name,
                                       const char *version);
/* The function of which record["Urls"][*qualifier]["UrlId"] is `id`; the qualifier is its own. */
struct function *registry_find_url(struct registry *registry, const char *id,
                                   const char **qualifier);
/* All, versions too, sorted by key, each held; a malloc()ed array. */
struct function **registry_list(struct registry *registry, size_t *count);

/* Unpack a zip into a new folder. Its name, for the record's "Code", goes into `id`: random digits
 * and the sum of the files (code_sum.h). Unless a record takes it, registry_drop() it. */
enum { REGISTRY_RANDOM_BYTES = 32, REGISTRY_ID_BYTES = REGISTRY_RANDOM_BYTES + 18 };
struct code *registry_unpack(struct registry *registry, const void *zip, size_t size,
                             char id[REGISTRY_ID_BYTES], struct err *err);

/* The same for what `fill` puts into the folder, which it makes, and removes when it fails. */
typedef int registry_fill(void *context, const char *folder, struct err *err);
struct code *registry_make(struct registry *registry, registry_fill *fill, void *context,
                           char id[REGISTRY_ID_BYTES], struct err *err);
/* The code of a function of which record["Image"]["Digest"] is `digest`, held; NULL: none is. */
struct code *registry_find_image(struct registry *registry, const char *digest,
                                 char id[REGISTRY_ID_BYTES]);
/* Releases code that no record takes; its folder goes unless another record has it. NULL is fine.
 */
void registry_drop(struct registry *registry, struct code *code);

/* Changes are made one at a time: begin, read, store or remove, end. */
void registry_begin_change(struct registry *registry);
void registry_end_change(struct registry *registry);
/* Make or replace the function of the record's key. Takes `record`; `code` NULL keeps the present
 * one, else it is taken. Returns the new revision, held for the caller. */
struct function *registry_store(struct registry *registry, json_t *record, struct code *code,
                                struct err *err);
/* Returns the removed function, held for the caller, or NULL. */
struct function *registry_remove(struct registry *registry, const char *key, struct err *err);

#endif
