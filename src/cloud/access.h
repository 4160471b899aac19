#ifndef CLOUD_ACCESS_H
#define CLOUD_ACCESS_H

#include "base/err.h"
#include "cloud/exchange.h"

/* Who may do what. A request is signed by the account's root, who may do everything, by a user, or
 * by a session of a role; or by nobody (where a service takes unsigned requests). */

/* What is asked: an action ("s3:GetObject") on a resource (an ARN; "*" for actions without one). */
struct access_question {
    const char *action, *resource;
    const char *resource_policy; /* the document attached to the resource; NULL: none */
    /* Condition keys that only the service can tell, such as "s3:ExistingObjectTag/a"; NULL: no
     * such key. Asked for only where a policy names one. `value` may be NULL. */
    const char *(*value)(void *self, const char *key);
    void *self;
    /* The service that will do it on behalf of `source_arn`, as the signer asks it to: then it is
     * enough that the resource's policy allows the service. NULL: the signer alone counts. */
    const char *service, *source_arn;
};

/* Who decides; IAM. 0: allowed; -1 with ERR_DENIED and AWS's words. */
struct access_judge {
    int (*decide)(void *self, struct exchange *x, const struct access_question *question,
                  struct err *err);
    void *self;
};

/* May the signer of this request do that? 0: yes. -1: the denial is answered already, in the form
 * of x->service; leave handle(). Every operation of every service asks once for each resource that
 * it touches, before it does anything. */
int exchange_authorize(struct exchange *x, const char *action, const char *resource) MUST_USE;
/* The same for resources that carry a policy of their own: buckets, queues, topics, functions. It
 * is enough when either side allows and neither denies. */
int exchange_authorize_with(struct exchange *x, const struct access_question *question) MUST_USE;
/* The same without an answer, for lists of which some is left out and for batches. */
int exchange_may(struct exchange *x, const struct access_question *question, struct err *err);

#endif
