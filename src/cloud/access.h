#ifndef CLOUD_ACCESS_H
#define CLOUD_ACCESS_H

#include "base/err.h"
#include "cloud/exchange.h"

/* May the signer of this request do `action` ("s3:GetObject", "sqs:SendMessage") on `resource` (an
 * ARN, or "*" for actions without one)? 0: yes. -1: the denial is answered already, in the form of
 * x->service; leave handle(). Every operation of every service asks once for each resource it
 * touches, before it does anything. The administrator may do everything. */
int exchange_authorize(struct exchange *x, const char *action, const char *resource) MUST_USE;

#endif
