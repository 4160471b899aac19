#ifndef CLOUD_DYNAMODB_PAGE_H
#define CLOUD_DYNAMODB_PAGE_H

#include "cloud/dynamodb/request.h"

/* A page of Query or Scan: a range of keys of a table or an index, read up to Limit items or 1 MB
 * as the table or the index holds them. */
enum select_type { SELECT_DEFAULT, SELECT_ALL, SELECT_PROJECTED, SELECT_SPECIFIC, SELECT_COUNT };

/* What a KeyConditionExpression says of one key attribute. */
struct key_condition {
    const char *name;
    enum node_type type;
    const struct value *values[2];
};

struct key_conditions {
    struct key_condition all[KEY_MAX_PARTS]; /* what comes after them is only counted */
    size_t count;
};

struct page {
    const struct table *table;
    const struct table_index *index;
    const struct key_schema *keys; /* of the index, or the table */
    struct expressions expressions;
    struct key_conditions conditions;
    struct value start;   /* ExclusiveStartKey; no members: none */
    struct key low, high; /* low <= key < high; high of size 0: no end */
    int64_t limit;
    int backward, consistent;
    int fetches; /* what a local index does not hold is read from the table */
    enum select_type select;
    enum capacity_detail capacity;
    /* Made: */
    size_t bytes, count, scanned;
    double fetched_units;
    struct buf last; /* the text of the last item seen */
    int more;
};

/* In this order: the parameters, before the table is known, with the caller's own in between; */
int page_begin(struct request *r, struct page *page, unsigned uses) MUST_USE;
int page_read(struct request *r, struct page *page, unsigned uses) MUST_USE;
int page_read_conditions(struct request *r, struct page *page) MUST_USE; /* Query's on keys */
/* with page->table: the index, and whether what is asked for can be had; */
int page_check(struct request *r, struct page *page) MUST_USE;
/* the range that the key condition leaves (Query); */
int page_set_keys(struct request *r, struct page *page) MUST_USE;
/* ExclusiveStartKey, inside the range; */
int page_start(struct request *r, struct page *page, int is_query) MUST_USE;
/* and the answer. */
int page_answer(struct request *r, struct page *page) MUST_USE;

int page_holds(const struct page *page, const char *name); /* the index has the attribute */

#endif
