#ifndef CLOUD_DYNAMODB_DEFINITION_H
#define CLOUD_DYNAMODB_DEFINITION_H

#include "cloud/dynamodb/request.h"

/* The definition of a table from a CreateTable request, in the form in which DescribeTable shows it
 * (without status, sizes and counts); NULL when the request is wrong. */
json_t *definition_make(struct request *r, const char *name);
json_t *definition_throughput(int64_t reads, int64_t writes);
int definition_check_throughput(struct request *r, const json_t *throughput) MUST_USE;
/* BillingMode and ProvisionedThroughput of the request. */
int definition_read_throughput(struct request *r, int64_t *reads, int64_t *writes,
                               int *on_demand) MUST_USE;

/* One of CreateTable's GlobalSecondaryIndexes or UpdateTable's Create: checked, and as the
 * definition has it. */
int definition_check_index(struct request *r, const json_t *index,
                           const json_t *definitions) MUST_USE;
json_t *definition_global_index(const json_t *index, const char *table_arn);
/* TableClass, DeletionProtectionEnabled and OnDemandThroughput of the request, where given; what is
 * not supported is refused. */
int definition_set_options(struct request *r, json_t *definition) MUST_USE;

/* Runs `change` while nobody else changes tables. */
int change_alone(struct request *r, operation_run *change) MUST_USE;

#endif
