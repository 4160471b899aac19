#include "cloud/lambda/permission.h"

#include "cloud/iam/policy.h"
#include "cloud/lambda/service.h"
#include "cloud/lambda/url.h"

#include <strings.h>

/* What conditions may look at. */
struct asking {
    const struct lambda_caller *caller; /* NULL: a function URL's request without a signature */
    const char *account_id;
};

static const char *value_of(void *context, const char *key, size_t index)
{
    const struct asking *a = context;
    if (index)
        return NULL;
    if (!a->caller)
        return strcasecmp(key, "lambda:FunctionUrlAuthType") == 0 ? "NONE" : NULL;
    if (strcasecmp(key, "aws:SourceArn") == 0)
        return a->caller->source_arn;
    return strcasecmp(key, "aws:SourceAccount") == 0 ? a->account_id : NULL;
}

int lambda_permits(struct lambda *lambda, const char *function, const struct lambda_caller *caller)
{
    struct lambda_target target;
    struct err err;
    char arn[FUNCTION_ARN_BYTES];
    struct asking asking = {caller, lambda->cloud->account_id};
    if (lambda_resolve(lambda, function, NULL, &target, &err) < 0)
        return 0;
    const json_t *policy = lambda_part(target.latest->record, "Policies", target.qualifier);
    lambda_function_arn(lambda, target.latest->name, target.qualifier, arn);
    const struct policy_request request = {.action = "lambda:InvokeFunction",
                                           .resource = arn,
                                           .service = caller->service,
                                           .account_id = asking.account_id,
                                           .value = value_of,
                                           .context = &asking};
    int result = policy && policy_evaluate(policy, POLICY_OF_RESOURCE, &request) == POLICY_ALLOWS;
    lambda_release(&target);
    return result;
}

int lambda_permits_anybody(struct lambda *lambda, const struct lambda_url *url)
{
    struct asking asking = {NULL, lambda->cloud->account_id};
    const struct policy_request request = {.action = "lambda:InvokeFunctionUrl",
                                           .resource = url->arn,
                                           .account_id = asking.account_id,
                                           .value = value_of,
                                           .context = &asking};
    return url->policy &&
           policy_evaluate(url->policy, POLICY_OF_RESOURCE, &request) == POLICY_ALLOWS;
}
