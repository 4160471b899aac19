#ifndef CLOUD_CLOUDWATCH_EXPRESSION_PARTS_H
#define CLOUD_CLOUDWATCH_EXPRESSION_PARTS_H

#include "cloud/cloudwatch/expression.h"

/* Between the files of metric math. */

int math_fail_memory(struct err *err);
/* A series like that one, of no values yet. */
int math_series_like(struct math *math, const struct math_series *like, struct math_series *out,
                     struct err *err) MUST_USE;
/* Can values of both be taken together? */
int math_check_same(const struct math_series *a, const struct math_series *b,
                    struct err *err) MUST_USE;
/* `each` for the series, or for each of the list's; `out` is of the same kind. */
typedef int math_each(struct math *math, const struct math_series *in, const void *context,
                      struct math_series *out, struct err *err);
int math_for_each(struct math *math, const struct math_value *in, math_each *each,
                  const void *context, struct math_value *out, struct err *err) MUST_USE;
/* How many of its periods have begun. */
size_t math_count_until_now(const struct math *math, const struct math_series *series);
/* "AVG", "MAX", "MIN", "SUM" or "DATAPOINT_COUNT" of the series; NAN where there is none. */
double math_fold(const struct math_series *series, const char *name);

struct math_call {
    const char *name;
    const struct math_value *arguments;
    size_t count;
};
int math_call_function(struct math *math, const struct math_call *call, struct math_value *out,
                       struct err *err) MUST_USE;
/* Those of expression_maps.c. 1: done; 0: there is none of that name. */
int math_call_map(struct math *math, const struct math_call *call, struct math_value *out,
                  struct err *err) MUST_USE;

#endif
