#include "cli/detect_option.h"

int detect_option_read(const char *text, enum face_detect *detect, struct err *err)
{
    *detect = FACE_DETECT_AUTO;
    if (!text || face_detect_read(detect, text) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "--detect %s: fast, thorough or auto is wanted", text);
}
