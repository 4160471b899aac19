#include "cloud/services.h"

static const struct {
    const char *name;
    int (*create)(struct cloud *cloud, struct err *err);
} services[] = {
#define X(name) {#name, name##_service_create},
    SERVICE_LIST(X)
#undef X
};

int services_create(struct cloud *cloud, struct err *err)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (services[i].create(cloud, err) < 0)
            return err_wrap(err, "start %s", services[i].name);
    return 0;
}
