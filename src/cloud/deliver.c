#include "cloud/deliver.h"

#include "cloud/access.h"

#include <string.h>

int cloud_add_target(struct cloud *cloud, const struct delivery_target *target, struct err *err)
{
    if (cloud->target_count == CLOUD_MAX_TARGETS)
        return err_set(err, ERR_TOO_BIG, "add target %s: too many", target->service);
    cloud->targets[cloud->target_count++] = *target;
    return 0;
}

/* "arn:aws:sqs:...": the third part names the kind. */
static const struct delivery_target *find_target(const struct cloud *cloud, const char *arn,
                                                 struct err *err)
{
    static const char prefix[] = "arn:aws:";
    const char *service = arn + sizeof prefix - 1;
    if (strncmp(arn, prefix, sizeof prefix - 1) == 0)
        for (size_t i = 0; i < cloud->target_count; i++) {
            size_t length = strlen(cloud->targets[i].service);
            if (strncmp(service, cloud->targets[i].service, length) == 0 && service[length] == ':')
                return &cloud->targets[i];
        }
    err_set(err, ERR_INVALID, "deliver to %s: not the ARN of a queue, topic or function", arn);
    return NULL;
}

int cloud_deliver(struct cloud *cloud, const struct delivery *delivery, struct err *err)
{
    const struct delivery_target *target = find_target(cloud, delivery->target_arn, err);
    return target ? target->deliver(target->self, delivery, err) : -1;
}

int cloud_check_target(struct cloud *cloud, const char *arn, struct err *err)
{
    const struct delivery_target *target = find_target(cloud, arn, err);
    return target ? target->check(target->self, arn, err) : -1;
}

int cloud_may_deliver(struct cloud *cloud, struct exchange *x, const char *arn,
                      const char *source_arn, const char *service, struct err *err)
{
    const struct delivery_target *target = find_target(cloud, arn, err);
    if (!target || !target->action)
        return target ? 0 : -1;
    const struct access_question question = {.action = target->action,
                                             .resource = arn,
                                             .resource_policy =
                                                 target->policy(target->self, arn, &x->arena),
                                             .service = service,
                                             .source_arn = source_arn};
    return exchange_may(x, &question, err);
}

int cloud_check_delivery(struct cloud *cloud, const char *arn, const char *source_arn,
                         struct err *err)
{
    const struct delivery_target *target = find_target(cloud, arn, err);
    if (!target || target->check(target->self, arn, err) < 0)
        return -1;
    return target->permits ? target->permits(target->self, arn, source_arn, err) : 0;
}
