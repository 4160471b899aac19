#include "edge/samples.h"

#include <math.h>
#include <stdlib.h>

void samples_init(struct samples *samples)
{
    *samples = (struct samples){0};
}

void samples_finish(struct samples *samples)
{
    free(samples->values);
    samples_init(samples);
}

static int grow(struct samples *samples, struct err *err)
{
    size_t capacity = samples->capacity ? samples->capacity * 2 : 256;
    if (capacity > SAMPLES_MAX)
        return err_set(err, ERR_TOO_BIG, "collect samples: more than %d", SAMPLES_MAX);
    double *values = realloc(samples->values, capacity * sizeof *values);
    if (!values)
        return err_set(err, ERR_NO_MEMORY, "collect samples: out of memory");
    samples->values = values;
    samples->capacity = capacity;
    return 0;
}

int samples_add(struct samples *samples, double value, struct err *err)
{
    if (!isfinite(value))
        return err_set(err, ERR_INVALID, "collect samples: not a number");
    if (samples->count == samples->capacity && grow(samples, err) < 0)
        return -1;
    samples->values[samples->count++] = value;
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_percentile(struct samples *samples, double percent)
{
    if (samples->count == 0)
        return 0;
    qsort(samples->values, samples->count, sizeof *samples->values, compare);
    double rank = ceil(percent / 100 * (double)samples->count - 1e-9);
    size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    return samples->values[index < samples->count ? index : samples->count - 1];
}
