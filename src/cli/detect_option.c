#include "cli/detect_option.h"

#include <string.h>

int detect_option_read(const char *text, enum face_detect *detect, struct err *err)
{
    static const char *const words[] = {[FACE_DETECT_FAST] = "fast",
                                        [FACE_DETECT_THOROUGH] = "thorough",
                                        [FACE_DETECT_AUTO] = "auto"};
    *detect = FACE_DETECT_AUTO;
    if (!text)
        return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *detect = (enum face_detect)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "--detect %s: fast, thorough or auto is wanted", text);
}
