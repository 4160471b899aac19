#ifndef CLOUD_LAMBDA_SERVICE_H
#define CLOUD_LAMBDA_SERVICE_H

#include "cloud/cloud.h"
#include "cloud/errors.h"
#include "cloud/lambda/events.h"
#include "cloud/lambda/manager.h"
#include "cloud/lambda/registry.h"
#include "cloud/rest/rest.h"

#include <stdatomic.h>

/* The Lambda API on top of registry and manager; operations are rows of the table in service.c. */
struct lambda {
    struct cloud *cloud;
    struct registry *registry;
    struct manager *manager; /* from start() on */
    struct events *events;
    struct mappings *mappings;
    unsigned char link_key[32]; /* signs links to code: download.h */
    long retry_ms[2];           /* before the second and the third attempt of an event */
    atomic_int is_stopping;     /* other services may be gone soon */
};

enum { LAMBDA_FIRST_RETRY_MS = 60000, LAMBDA_SECOND_RETRY_MS = 120000 };
enum { LAMBDA_MAX_PAYLOAD_BYTES = 6 * 1024 * 1024, LAMBDA_MAX_EVENT_BYTES = 1024 * 1024 };
#define LAMBDA_MAX_BODY_BYTES ((size_t)70 * 1024 * 1024) /* a zip of 50 MiB in base64 */

typedef void lambda_operation(void *self, struct rest_call *call);

/* functions.c */
lambda_operation lambda_create_function, lambda_get_function, lambda_get_configuration,
    lambda_list_functions, lambda_delete_function, lambda_update_code, lambda_update_configuration;
/* settings.c */
lambda_operation lambda_add_permission, lambda_get_policy, lambda_remove_permission,
    lambda_put_concurrency, lambda_get_concurrency, lambda_delete_concurrency,
    lambda_account_settings;
/* versions.c */
lambda_operation lambda_publish_version, lambda_list_versions, lambda_create_alias,
    lambda_get_alias, lambda_update_alias, lambda_delete_alias, lambda_list_aliases;
/* provisioned.c */
lambda_operation lambda_put_provisioned, lambda_get_provisioned, lambda_delete_provisioned;
/* event_config.c */
lambda_operation lambda_put_event_config, lambda_update_event_config, lambda_get_event_config,
    lambda_delete_event_config, lambda_list_event_configs;
/* urls.c */
lambda_operation lambda_create_url, lambda_get_url, lambda_update_url, lambda_delete_url,
    lambda_list_urls;
/* sources.c */
lambda_operation lambda_create_mapping, lambda_get_mapping, lambda_update_mapping,
    lambda_delete_mapping, lambda_list_mappings;
/* tags.c */
lambda_operation lambda_tag, lambda_untag, lambda_list_tags;
/* -1: no texts, or too many; the error is answered. `tags` NULL is fine. */
int lambda_check_tags(struct exchange *x, const json_t *tags);
/* lookups.c */
lambda_operation lambda_list_layers, lambda_list_layer_versions, lambda_get_layer_version,
    lambda_list_code_signing, lambda_get_code_signing, lambda_get_runtime_management,
    lambda_put_runtime_management, lambda_get_recursion;
/* invocation.c */
lambda_operation lambda_invoke_function, lambda_invoke_async;

/* What an invocation or a question names: a function, and which version of it. */
struct lambda_target {
    struct function *latest, *function;       /* held; the same for $LATEST */
    char qualifier[FUNCTION_QUALIFIER_BYTES]; /* as it was named; "": not */
    char arn[FUNCTION_ARN_BYTES];             /* the same */
};
/* `text` is a FunctionName, `qualifier` a Qualifier or NULL. An alias with weights gives one of its
 * versions by lot. ERR_INVALID, ERR_NOT_FOUND. */
int lambda_resolve(struct lambda *lambda, const char *text, const char *qualifier,
                   struct lambda_target *out, struct err *err) MUST_USE;
void lambda_release(struct lambda_target *target);
/* Is it of another account? There is none here, so its functions are never found. */
int lambda_is_foreign(const struct function_reference *reference, const char *account_id);
/* What the call's first parameter and ?Qualifier name. -1: the error is answered. */
int lambda_open(struct lambda *lambda, struct rest_call *call, struct lambda_target *out) MUST_USE;

/* The function that the call's first parameter names, held; NULL: the error is answered. */
struct function *lambda_find(struct lambda *lambda, struct rest_call *call);
/* The same name, for operations that change it. */
int lambda_read_name(struct lambda *lambda, struct rest_call *call, const char *text,
                     char name[FUNCTION_NAME_BYTES]);
void lambda_function_arn(const struct lambda *lambda, const char *name, const char *qualifier,
                         char arn[FUNCTION_ARN_BYTES]); /* qualifier "": without */
void lambda_fail_not_found(struct lambda *lambda, struct exchange *x, const char *name);
void lambda_fail_resource(struct exchange *x, const char *message); /* 404 */
void lambda_fail_err(struct exchange *x, const struct err *err);
int lambda_revision_matches(struct exchange *x, const json_t *present, const json_t *request);

/* {FIELD: part of `items`} from ?Marker on, at most ?MaxItems, with NextMarker. Takes `items`. */
void lambda_reply_page(struct exchange *x, const char *field, json_t *items, size_t most);

/* A copy of the function's record to change; between registry_begin_change() and the end. NULL: the
 * error is answered. */
json_t *lambda_open_record(struct lambda *lambda, struct exchange *x, const char *name);
/* Stores it (taken) with a new revision and hands it to the manager. Returns the function, held, or
 * NULL: the error is answered. */
struct function *lambda_store_record(struct lambda *lambda, struct exchange *x, json_t *record,
                                     struct code *code);

/* A change of what is stored beside a function's configuration. */
struct lambda_change {
    struct lambda *lambda;
    struct rest_call *call;
    struct exchange *x;
    json_t *record;  /* $LATEST's, a copy to change */
    json_t *request; /* the body */
    char name[FUNCTION_NAME_BYTES], qualifier[FUNCTION_QUALIFIER_BYTES]; /* "": none was named */
    int status;
    json_t *reply; /* NULL: an empty answer */
};
/* -1: it answered an error, and nothing is stored. */
typedef int lambda_changer(struct lambda_change *change);
void lambda_run_change(struct lambda *lambda, struct rest_call *call, lambda_changer *make);
/* Is there such a version or alias? -1: the error is answered. "" and "$LATEST" are fine. */
int lambda_check_qualifier(struct lambda_change *change);
/* record[FIELD][QUALIFIER], NULL for none; the setter makes what is missing and takes `value`. */
json_t *lambda_part(const json_t *record, const char *field, const char *qualifier);
void lambda_set_part(json_t *record, const char *field, const char *qualifier, json_t *value);

/* What hangs at qualifiers, record[FIELD][QUALIFIER]: how one is shown, and what is said when there
 * is none (it returns -1). Operations that get one and that list all. */
struct lambda_parts {
    const char *field, *answer; /* of the record; of the list's answer */
    json_t *(*show)(const struct lambda *lambda, const char *name, const char *qualifier,
                    const json_t *part);
    int (*absent)(struct lambda *lambda, struct exchange *x, const char *name,
                  const char *qualifier);
};
void lambda_get_part(struct lambda *lambda, struct rest_call *call,
                     const struct lambda_parts *parts);
void lambda_list_parts(struct lambda *lambda, struct rest_call *call,
                       const struct lambda_parts *parts);

/* functions.c: what lists show of one: less than GetFunction. */
json_t *lambda_list_item(const struct lambda *lambda, const struct function *function,
                         int is_qualified);

/* versions.c: a version of what $LATEST is now, in `record`, or the last one when nothing changed.
 * Held; NULL: the error is answered. Between registry_begin_change() and the end. */
struct function *lambda_publish(struct lambda *lambda, struct exchange *x, json_t *record,
                                const json_t *description);
/* Takes all that hangs at a version or alias out of the record; 1: there was something. */
int lambda_forget_qualifier(json_t *record, const char *qualifier);
/* What an alias points at: its version, or one of its weights by lot; NULL: no such alias. */
const char *lambda_alias_version(const json_t *record, const char *alias);

/* provisioned.c: tell the manager how many instances of each version to keep. */
void lambda_provision(struct lambda *lambda, const struct function *latest);
void lambda_provision_all(struct lambda *lambda); /* at the start */

/* asynchronous.c */
int lambda_events_open(struct lambda *lambda, struct err *err) MUST_USE;
int lambda_events_register(struct lambda *lambda, struct err *err) MUST_USE; /* as a target */
/* Queue an event: durable on return. */
int lambda_put_event(struct lambda *lambda, const struct lambda_target *target,
                     const char *request_id, const void *payload, size_t size,
                     struct err *err) MUST_USE;
/* event_config.c: "OnSuccess" or "OnFailure" of an EventInvokeConfig; NULL: none. */
enum { LAMBDA_RETRIES = 2, LAMBDA_EVENT_AGE_S = 21600 }; /* unless the config says less */
const char *lambda_destination(const json_t *config, const char *name);
/* ERR_INVALID unless there is a queue, topic or (`functions`) function of that ARN. */
int lambda_check_destination(struct lambda *lambda, const char *arn, int functions,
                             struct err *err) MUST_USE;

#endif
