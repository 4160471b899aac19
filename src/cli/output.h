#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "face/identification.h"
#include "face/quality.h"

#include <jansson.h>
#include <stddef.h>

/* What several verbs print alike. */

/* A name as JSON: files' names need not be UTF-8, JSON must be; other bytes become '?'. */
json_t *json_file_name(const char *name);
json_t *json_quality(const struct face_quality *quality);
/* {"value", "low", "high", "count", "trials"}; null without trials. */
json_t *json_rate(const struct rate *rate);
/* "1.20 % (12 of 1000; 0.62 to 2.09 %)" */
void output_rate(const struct rate *rate);

/* Why `path` was refused, without the path at its start: for lines that have it there already. */
const char *output_reason(const char *reason, const char *path);

/* One line that changes, such as "123 of 456 photos", on standard error where that is a terminal,
 * five times a second at most. */
struct progress {
    double shown_ms;
    int shown;
};
__attribute__((format(printf, 2, 3))) void progress_print(struct progress *progress,
                                                          const char *format, ...);
/* album_find_faces() with that progress, in the place of what `options` have. */
int progress_find_faces(struct album *album, const struct album_options *options,
                        struct err *err) MUST_USE;
void progress_end(struct progress *progress); /* wipes the line */

#endif
