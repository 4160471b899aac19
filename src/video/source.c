#include "video/source_kind.h"

#include <string.h>

/* The first one takes what has no scheme of the others. */
static const struct source_kind *const kinds[] = {&source_file};

struct source *source_open(const char *location, const struct source_options *options,
                           struct err *err)
{
    const struct source_kind *kind = kinds[0];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i]->scheme);
        if (strncmp(location, kinds[i]->scheme, length) == 0) {
            kind = kinds[i];
            location += length;
            break;
        }
    }
    struct source *source = kind->open(location, options, err);
    if (source)
        source->kind = kind;
    return source;
}

void source_close(struct source *source)
{
    if (source)
        source->kind->close(source);
}

double source_fps(const struct source *source)
{
    return source->kind->fps(source);
}

int source_read(struct source *source, struct frame *frame, struct err *err)
{
    return source->kind->read(source, frame, err);
}
