#ifndef CLOUD_LAMBDA_OUTPUT_H
#define CLOUD_LAMBDA_OUTPUT_H

#include "base/buf.h"
#include "cloud/metrics.h"

/* What an instance writes: lines to a log stream of its own, and the last 4 KiB of the request
 * under way for whoever asked for it (X-Amz-Log-Type: Tail). */
enum {
    OUTPUT_TAIL_BYTES = 4096,
    OUTPUT_MAX_LINE_BYTES = 64 * 1024, /* a longer line is cut into several */
};

struct output {
    struct logs *logs; /* NULL: lines go nowhere but the tail */
    char group[513];   /* "/aws/lambda/NAME" */
    char stream[96];   /* "2026/11/23/[$LATEST]0123...", the version in brackets */
    struct buf line;   /* not ended yet */
    char tail[OUTPUT_TAIL_BYTES];
    size_t tail_total; /* bytes since the request began */
};

void output_init(struct output *output, struct logs *logs, const char *group, const char *version);
void output_finish(struct output *output);

/* Bytes as they come out of the process. */
void output_take(struct output *output, const char *data, size_t size);
/* Ends a line that the process left open. */
void output_flush(struct output *output);
/* A line of the cloud's own. */
void output_line(struct output *output, const char *format, ...) PRINTF(2, 3);

void output_begin_request(struct output *output);
/* The tail as a string into `out` (OUTPUT_TAIL_BYTES + 1). */
void output_copy_tail(const struct output *output, char *out);

#endif
