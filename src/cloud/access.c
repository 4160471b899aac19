#include "cloud/access.h"

int exchange_authorize(struct exchange *x, const char *action, const char *resource)
{
    (void)x;
    (void)action;
    (void)resource;
    return 0;
}
