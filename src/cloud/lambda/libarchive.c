#include "cloud/lambda/libarchive.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* Of libarchive 3, whatever its minor version. */
#define FILE_NAME "libarchive.so.13"

int libarchive_load(struct libarchive *library, struct err *err)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#define X(name) {"archive_" #name, offsetof(struct libarchive, name)},
        LIBARCHIVE_FUNCTIONS(X)
#undef X
    };
    void *file = dlopen(FILE_NAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!file)
        return err_set(err, ERR_UNSUPPORTED, "load libarchive: %s", dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(file, functions[i].name);
        if (!found)
            return err_set(err, ERR_UNSUPPORTED, "load libarchive: %s", dlerror());
        memcpy((char *)library + functions[i].offset, &found, sizeof found);
    }
    return 0;
}
