#ifndef CLOUD_SERVICES_H
#define CLOUD_SERVICES_H

#include "cloud/cloud.h"

/* The services of the cloud, in the order in which they are made (cloud/cloud.h). This list is the
 * only place where a service is named. */
#define SERVICE_LIST(X)                                                                            \
    X(sqs)                                                                                         \
    X(sns)                                                                                         \
    X(s3)                                                                                          \
    X(cloudwatch)                                                                                  \
    X(logs)                                                                                        \
    X(lambda)                                                                                      \
    X(dynamodb)                                                                                    \
    X(apigateway)                                                                                  \
    X(iam)                                                                                         \
    X(ecr)

#define X(name) int name##_service_create(struct cloud *cloud, struct err *err);
SERVICE_LIST(X)
#undef X

/* Makes all of them. */
int services_create(struct cloud *cloud, struct err *err) MUST_USE;

#endif
