#include "cloud/errors.h"
#include "cloud/services.h"

static void handle(void *self, struct exchange *x)
{
    (void)self;
    exchange_fail(x, "NotImplemented", "S3 is not here yet.");
}

int s3_service_create(struct cloud *cloud, struct err *err)
{
    return cloud_add(cloud, &(struct service){.name = "s3", .handle = handle}, err);
}
