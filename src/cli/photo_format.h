#ifndef CLI_PHOTO_FORMAT_H
#define CLI_PHOTO_FORMAT_H

#include "base/err.h"
#include "image/image.h"

/* What --format says: png, jpeg or jpg. */
int photo_format_parse(const char *name, enum image_format *format, struct err *err) MUST_USE;

#endif
