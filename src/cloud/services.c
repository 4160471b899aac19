#include "cloud/services.h"

static int (*const creates[])(struct cloud *cloud, struct err *err) = {
#define X(name) name##_service_create,
    SERVICE_LIST(X)
#undef X
};

int services_create(struct cloud *cloud, struct err *err)
{
    for (size_t i = 0; i < sizeof creates / sizeof *creates; i++)
        if (creates[i](cloud, err) < 0)
            return -1;
    return 0;
}
