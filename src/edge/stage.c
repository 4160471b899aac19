#include "edge/stage.h"

const char *stage_name(enum stage stage)
{
    static const char *const names[] = {
#define X(name) #name,
        STAGE_LIST(X)
#undef X
    };
    return names[stage];
}
