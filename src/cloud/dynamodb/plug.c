#include "cloud/dynamodb/service.h"
#include "cloud/services.h"

static void handle(void *self, struct exchange *x)
{
    dynamodb_handle(self, x);
}

static int quick(void *self, const struct exchange *x)
{
    (void)self;
    return dynamodb_is_quick(x);
}

static struct database *writes_to(void *self, const struct exchange *x)
{
    return dynamodb_writes_to(self, x);
}

static void destroy(void *self)
{
    dynamodb_close(self);
}

int dynamodb_service_create(struct cloud *cloud, struct err *err)
{
    char path[4096];
    if (cloud_path(cloud, "dynamodb.sqlite", path, sizeof path, err) < 0)
        return -1;
    struct dynamodb *service = dynamodb_open(path, cloud->account_id, cloud->region, err);
    if (!service)
        return -1;
    struct service entry = {.name = "dynamodb",
                            .error_form = ERROR_FORM_JSON,
                            .error_prefix = "com.amazon.coral.service#",
                            .denied_status = 400,
                            .sums = 1,
                            .max_body_bytes = (size_t)20 * 1024 * 1024,
                            .memory_body_bytes = (size_t)20 * 1024 * 1024,
                            .handle = handle,
                            .quick = quick,
                            .writes_to = writes_to,
                            .destroy = destroy,
                            .self = service};
    return cloud_add(cloud, &entry, err);
}
