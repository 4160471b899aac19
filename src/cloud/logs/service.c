#include "cloud/errors.h"
#include "cloud/logs/store.h"
#include "cloud/services.h"

static void handle(void *self, struct exchange *x)
{
    (void)self;
    exchange_fail(x, "NotImplemented", "Logs is not here yet.");
}

static void destroy(void *self)
{
    logs_close(self);
}

int logs_service_create(struct cloud *cloud, struct err *err)
{
    char path[4096];
    if (cloud_path(cloud, "logs.sqlite", path, sizeof path, err) < 0)
        return -1;
    struct logs *logs = logs_open(path, err);
    if (!logs)
        return -1;
    cloud->logs = logs;
    struct service service = {.name = "logs",
                              .error_form = ERROR_FORM_JSON,
                              .handle = handle,
                              .destroy = destroy,
                              .self = logs};
    return cloud_add(cloud, &service, err);
}
