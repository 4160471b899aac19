#ifndef CLOUD_CLOUDWATCH_EXPRESSION_H
#define CLOUD_CLOUDWATCH_EXPRESSION_H

#include "base/arena.h"
#include "base/err.h"

#include <stdint.h>

/* Metric math: an expression over time series, read and computed in one pass.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 *
 * As that page has it: an operator between two series takes a missing value for 0 where the other
 * has one, and leaves out what divides by zero. Series of different periods do not go together,
 * as it does not say how. */

enum {
    MATH_MAX_EXPRESSION = 2048,
    MATH_MAX_DEPTH = 64, /* of parentheses, functions, and expressions in expressions */
    MATH_MAX_ARGUMENTS = 100,
    MATH_MAX_LIST = 5000,              /* series of an array: SORT compares each with each */
    MATH_MAX_BYTES = 64 * 1024 * 1024, /* of a request's series */
};

struct math_series {
    double *values; /* [count], by period from start_s; NAN: none */
    size_t count;
    int64_t start_s, period_s;
    const char *label;
    int is_metric; /* not computed */
};

enum math_kind { MATH_SCALAR, MATH_SERIES, MATH_LIST, MATH_WORD };
struct math_value {
    enum math_kind kind;
    double scalar;              /* NAN: of no values */
    struct math_series *series; /* one, or those of a list */
    size_t count;
    const char *word; /* DESC, "text" */
};

struct math {
    struct arena *arena; /* of all values */
    void *context;
    int64_t now_s; /* nothing is filled in after it */
    int depth;     /* how deep expressions are in each other now */
    /* The metric or expression of that id. */
    int (*find)(void *context, const char *id, struct math_value *out, struct err *err);
    /* The metrics whose ids have `part` in them: a list. */
    int (*list)(void *context, const char *part, struct math_value *out, struct err *err);
    /* Where a series that is made of nothing begins and how long it is; `values` is not set. */
    int (*frame)(void *context, struct math_series *out, struct err *err);
};

/* A series or a list of them; ERR_INVALID with AWS's reason. */
int math_evaluate(struct math *math, const char *expression, struct math_value *out,
                  struct err *err) MUST_USE;

#endif
