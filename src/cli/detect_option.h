#ifndef CLI_DETECT_OPTION_H
#define CLI_DETECT_OPTION_H

#include "base/err.h"
#include "face/recognizer.h"

/* --detect of the verbs that look for faces in photos; they default to "auto". */
#define DETECT_OPTION(value)                                                                       \
    {                                                                                              \
        "detect", 0, OPTION_TEXT, (value), "HOW",                                                  \
            "fast, thorough, or auto: thorough above 640x480 pixels (default: auto)", 0, 0         \
    }

/* `text` may be NULL for auto. ERR_INVALID for another word. */
int detect_option_read(const char *text, enum face_detect *detect, struct err *err) MUST_USE;

#endif
