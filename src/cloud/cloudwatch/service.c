#include "cloud/cloudwatch/store.h"
#include "cloud/errors.h"
#include "cloud/services.h"

static void handle(void *self, struct exchange *x)
{
    (void)self;
    exchange_fail(x, "NotImplemented", "CloudWatch is not here yet.");
}

static void destroy(void *self)
{
    metrics_close(self);
}

int cloudwatch_service_create(struct cloud *cloud, struct err *err)
{
    char path[4096];
    if (cloud_path(cloud, "metrics.sqlite", path, sizeof path, err) < 0)
        return -1;
    struct metrics *metrics = metrics_open(path, err);
    if (!metrics)
        return -1;
    cloud->metrics = metrics;
    struct service service = {.name = "monitoring",
                              .error_form = ERROR_FORM_JSON,
                              .handle = handle,
                              .destroy = destroy,
                              .self = metrics};
    return cloud_add(cloud, &service, err);
}
