#ifndef CLOUD_DYNAMODB_REQUEST_H
#define CLOUD_DYNAMODB_REQUEST_H

#include "cloud/dynamodb/table.h"
#include "cloud/exchange.h"
#include "cloud/sqlite/database.h"

#include <pthread.h>

/* What the operations of DynamoDB share: the service's state, and one request on its way. */

struct dynamodb {
    struct database *database;
    const char *account_id, *region;
    pthread_mutex_t changes; /* one table at a time is made, changed or deleted: the database and
                              * the catalogue change together */
    pthread_rwlock_t lock;   /* of the catalogue */
    struct table **tables;   /* sorted by name */
    size_t table_count;
    struct worker *worker; /* fills indexes, deletes what has expired (worker.h) */
};

enum { REQUEST_MAX_OUT_BYTES = 32 * 1024 * 1024 };

struct request {
    struct dynamodb *service;
    struct exchange *exchange;
    const char *action;    /* "dynamodb:GetItem" */
    const char *operation; /* "GetItem" */
    struct arena *arena;
    const json_t *body;
    struct buf out; /* the answer, JSON */
    struct err err;
    const char *message;     /* of the error, when it is longer than err can hold; else NULL */
    const char *error_type;  /* AWS's code, where err.code does not say it */
    const char *error_extra; /* members to add to the error, ",\"Item\":{...}"; NULL for none */
    struct owned_json {
        json_t *json;
        struct owned_json *next;
    } * owned; /* released with the request */
    int64_t now_ms;
    enum value_layer layer; /* in which AWS reads this operation's values */
    int looked_up;          /* a table: from here on it is not the request that is wrong */
    int moved;              /* to a worker, where it begins again */
    int answered;           /* access was denied, and the denial is answered */
    int stale;              /* a table changed on the way: the request begins anew */
};

/* An operation: 0 with the answer in `out`, or -1 with err. */
typedef int operation_run(struct request *r);

/* Failures: err.code says the type: INVALID ValidationException, NOT_FOUND
 * ResourceNotFoundException, EXISTS ResourceInUseException, DENIED ConditionalCheckFailedException,
 * CORRUPT SerializationException, TOO_BIG ValidationException; others are internal. */

/* Parameters of the body; a wrong JSON type is an error, an absent one NULL (or the default). */
int param_string(struct request *r, const char *name, const char **out) MUST_USE;
int param_integer(struct request *r, const char *name, int64_t *out, int *present) MUST_USE;
int param_flag(struct request *r, const char *name, int *out) MUST_USE;
int param_object(struct request *r, const char *name, const json_t **out) MUST_USE;
int param_array(struct request *r, const char *name, const json_t **out) MUST_USE;
/* One of `values` (ends with NULL) as its index; the first is the default. */
int param_choice(struct request *r, const char *name, const char *const *values, int *out) MUST_USE;
int param_item(struct request *r, const char *name, struct value *out) MUST_USE; /* required */
/* Attributes of a request, an item or a key. */
int request_read_item(struct request *r, const json_t *json, struct value *out) MUST_USE;
int fail_constraint(struct request *r, const char *value, const char *name, const char *constraint);
int request_own(struct request *r, json_t *json) MUST_USE;
void request_release_owned(struct request *r);

/* TableName, checked; and the table it names, to be released. `json` NULL: the body. */
int param_table_name(struct request *r, const json_t *json, const char **out) MUST_USE;
struct table *request_table(struct request *r);
struct table *request_find_table(struct request *r, const char *name);
/* The same for `action` ("dynamodb:GetItem"), in requests of several actions. */
struct table *request_find_table_for(struct request *r, const char *action, const char *name);
/* May the signer do the request's operation (or `action`, "dynamodb:GetItem", when not NULL) on
 * that table, or its index (may be NULL)? -1: r->answered. */
int request_authorize(struct request *r, const char *action, const char *table,
                      const char *index) MUST_USE;
const struct table_index *request_index(struct request *r, const struct table *table,
                                        const char *name);
char *table_arn(struct request *r, const char *name);

/* Store JSON in the row of a table: `sql` has the id as ?1 and the text as ?2. */
int store_json(struct connection *connection, const char *sql, int64_t id, const json_t *json,
               struct err *err) MUST_USE;

/* A failed SQL statement on a table: changed (r->stale) or gone in the meantime, or an internal
 * error. Returns -1. */
int fail_table(struct request *r, const struct table *table);

/* Whether a table may have the request's Tags. */
int tags_check(struct request *r) MUST_USE;

/* The answer of operations on tables: {"member": definition}, with `status`, sizes and counts. */
int table_answer(struct request *r, struct table *table, const char *member,
                 const char *status) MUST_USE;
/* Items and bytes of all indexes of a table that has as many as `whole` says: 1, 0 when they are
 * not counted yet, -1; and the counting itself. */
int index_sizes_get(struct request *r, struct table *table, const struct index_size *whole,
                    struct index_size *out) MUST_USE;
int index_sizes_count(struct dynamodb *service, struct table *table, struct err *err) MUST_USE;
/* "ACTIVE", or "UPDATING" while an index is being filled. */
const char *table_status(const struct table *table);
/* Under service->changes: the definition (taken over) in place of the table's, stored and in the
 * catalogue. `change` runs in the same step before it; NULL: nothing. Returns the new table with a
 * reference, or NULL. */
typedef int table_change(struct connection *connection, void *context, struct err *err);
struct table *table_replace(struct dynamodb *service, struct table *table, json_t *definition,
                            table_change *change, void *context, struct err *err);

/* The catalogue. */
struct table *catalogue_get(struct dynamodb *service, const char *name); /* a reference, or NULL */
int catalogue_add(struct dynamodb *service, struct table *table, struct err *err) MUST_USE;
void catalogue_remove(struct dynamodb *service, struct table *table);
/* Index of the first table whose name is not below `name`. Under the lock. */
size_t catalogue_place(const struct dynamodb *service, const char *name);
int catalogue_open(struct dynamodb *service, struct err *err) MUST_USE;
void catalogue_close(struct dynamodb *service);

/* Expressions of the request. */
struct expressions {
    struct substitutions substitutions;
    struct node *condition, *filter, *key_condition;
    struct projection projection;
    struct update update;
    int has_projection, has_update;
    int legacy;                 /* the filter came as QueryFilter or ScanFilter */
    int unindexable;            /* a comparison of KeyConditions that no index can do */
    size_t key_condition_count; /* of KeyConditions */
};
enum {
    USES_CONDITION = 1,
    USES_FILTER = 2,
    USES_KEY_CONDITION = 4,
    USES_PROJECTION = 8,
    USES_UPDATE = 16,
};
int expressions_parse(struct request *r, const json_t *from, unsigned uses,
                      struct expressions *out) MUST_USE;
/* The same in two steps, between which Query and Scan look at other parameters: what goes with
 * what, and the parameters from before there were expressions; then the expressions. */
int expressions_begin(struct request *r, const json_t *from, unsigned uses,
                      struct expressions *out) MUST_USE;
int expressions_finish(struct request *r, const json_t *from, unsigned uses,
                       struct expressions *out) MUST_USE;

/* ReturnConsumedCapacity: what a request used of one table and its indexes. */
enum capacity_detail { CAPACITY_NONE, CAPACITY_TOTAL, CAPACITY_INDEXES };
struct write;
struct usage {
    const struct table *table;
    double table_units, index_units[TABLE_MAX_INDEXES];
    const char *split; /* "Read" or "Write": said besides, as transactions do; else NULL */
};
int param_capacity(struct request *r, enum capacity_detail *out) MUST_USE;
void usage_add_write(struct usage *usage, const struct write *w, double factor);
/* {"TableName":..,"CapacityUnits":..} */
void usage_write(struct request *r, enum capacity_detail detail, const struct usage *usage);
/* {"ItemCollectionKey":..,"SizeEstimateRangeGB":..} of a written item. */
void collection_write(struct request *r, const struct write *w);
/* Tables without local indexes have no item collections. */
int collection_counts(const struct table *table);
/* Append `,"name":` or `"name":` as the object goes; `first` is cleared. */
void write_member(struct request *r, int *first, const char *name);
double read_units(size_t bytes, int consistent);
double write_units(size_t bytes);
/* Both for transactions, which count twice. */
enum { TRANSACTION_FACTOR = 2 };

/* Writing one item, inside a write job. */
enum write_type { WRITE_PUT, WRITE_DELETE, WRITE_UPDATE, WRITE_CHECK };
struct write {
    enum write_type type;
    struct table *table;
    struct value item; /* what to put; otherwise the key */
    const struct node *condition;
    const struct update *update;
    int wants_old;    /* the old item is needed for the answer */
    int counts_units; /* and so are index_units */
    int alone;        /* UpdateItem: has a limit of its own (write.c) */
    /* Made by the write: */
    struct value old, new;
    int had_old, has_new;
    size_t old_size, new_size;
    double index_units[TABLE_MAX_INDEXES];
    enum err_code failed; /* in a transaction: ERR_NONE, ERR_DENIED (the condition), ERR_INVALID */
    const char *failure;  /* its message */
};
int write_run(struct connection *connection, struct request *r, struct write *w) MUST_USE;
/* Several in one step, each of them or none. The first failure ends it. */
int write_all(struct request *r, struct write *writes, size_t count) MUST_USE;
/* The same as a transaction: where conditions or values fail, each write says so in `failed`, and
 * r->err is ERR_DENIED. `first` (may be NULL) runs before the writes; when it returns 1, they are
 * left out. */
int write_transaction(struct request *r, struct write *writes, size_t count, database_job *first,
                      void *context) MUST_USE;

/* Put an entry into an index, inside a write job. */
int index_store(struct connection *connection, struct request *r, const struct table *table,
                int number, const struct key *key, const struct key *base) MUST_USE;

/* The stored text of an item: 1, 0 when there is none, -1. `out` lives in the arena. */
struct stored {
    const char *text;
    size_t text_size, size;
};
int item_load(struct connection *connection, struct request *r, const struct table *table,
              const struct key *key, struct stored *out) MUST_USE;
/* Stored text to a value that lives as long as the request. */
int item_parse(struct request *r, const char *text, size_t size, struct value *out) MUST_USE;
/* Append the item of stored `text`, or the part of it that `projection` (may be NULL) names. */
int write_projected(struct request *r, const struct projection *projection, const char *text,
                    size_t size) MUST_USE;
/* Paths may not go into key attributes: those are scalars. */
int expressions_check_keys(struct request *r, const struct table *table,
                           const struct expressions *expressions) MUST_USE;
/* An update may not change key attributes. */
int update_check_keys(struct request *r, const struct table *table,
                      const struct update *update) MUST_USE;

operation_run create_table, describe_table, list_tables, delete_table, update_table, put_item,
    get_item, update_item, delete_item, batch_write_item, batch_get_item, query, scan,
    transact_write_items, transact_get_items, describe_limits, tag_resource, untag_resource,
    list_tags_of_resource, describe_time_to_live, update_time_to_live, describe_continuous_backups,
    describe_endpoints;

#endif
