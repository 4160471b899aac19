#include "cli/photo_format.h"

#include <string.h>

int photo_format_parse(const char *name, enum image_format *format, struct err *err)
{
    if (strcmp(name, "png") == 0)
        *format = IMAGE_PNG;
    else if (strcmp(name, "jpeg") == 0 || strcmp(name, "jpg") == 0)
        *format = IMAGE_JPEG;
    else
        return err_set(err, ERR_INVALID, "--format: \"%s\" is neither png nor jpeg", name);
    return 0;
}
