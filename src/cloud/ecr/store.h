#ifndef CLOUD_ECR_STORE_H
#define CLOUD_ECR_STORE_H

#include "cloud/ecr/ecr.h"

/* Between the files of the rows: statements with texts bound in order. */

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

sqlite3_stmt *ecr_prepare(struct connection *c, const char *sql, const char *const *texts,
                          struct err *err);
int ecr_run(struct connection *c, const char *sql, const char *const *texts, struct err *err);
/* The first column of the first row as a number. 1: there is one, 0: none, -1: failed. */
int ecr_number(struct connection *c, const char *sql, const char *const *texts, int64_t *out,
               struct err *err);
/* ERR_NOT_FOUND when there is no such repository. */
int ecr_check_repository(struct connection *c, const char *name, struct err *err);
/* A column's text in the arena; NULL for SQL's NULL. */
const char *ecr_copy_column(sqlite3_stmt *row, int column, struct arena *arena);

#endif
