#ifndef CLOUD_DYNAMODB_DEFINITION_H
#define CLOUD_DYNAMODB_DEFINITION_H

#include "cloud/dynamodb/request.h"

/* The definition of a table from a CreateTable request, in the form in which DescribeTable shows it
 * (without status, sizes and counts); NULL when the request is wrong. */
json_t *definition_make(struct request *r, const char *name);
json_t *definition_throughput(int64_t reads, int64_t writes);
/* BillingMode and ProvisionedThroughput of the request. */
int definition_read_throughput(struct request *r, int64_t *reads, int64_t *writes,
                               int *on_demand) MUST_USE;

#endif
