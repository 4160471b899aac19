#include "cloud/cloudwatch/statistic.h"

#include <math.h>
#include <string.h>

static size_t find_place(const struct statistic *statistic, double value)
{
    size_t low = 0, high = statistic->point_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (statistic->points[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void join_nearest(struct statistic *statistic)
{
    struct statistic_point *p = statistic->points;
    size_t best = 0;
    double best_gap = INFINITY;
    for (size_t i = 0; i + 1 < statistic->point_count; i++) {
        double scale = fabs(p[i].value) + fabs(p[i + 1].value);
        double gap = scale > 0 ? (p[i + 1].value - p[i].value) / scale : 0;
        if (gap < best_gap) {
            best_gap = gap;
            best = i;
        }
    }
    double count = p[best].count + p[best + 1].count;
    p[best].value = (p[best].value * p[best].count + p[best + 1].value * p[best + 1].count) / count;
    p[best].count = count;
    statistic->point_count--;
    memmove(p + best + 1, p + best + 2, (statistic->point_count - best - 1) * sizeof *p);
}

static void add_point(struct statistic *statistic, double value, double count)
{
    size_t at = find_place(statistic, value);
    struct statistic_point *p = statistic->points;
    if (at < statistic->point_count && p[at].value == value) {
        p[at].count += count;
        return;
    }
    memmove(p + at + 1, p + at, (statistic->point_count - at) * sizeof *p);
    p[at] = (struct statistic_point){value, count};
    statistic->point_count++;
    if (statistic->point_count > STATISTIC_MAX_POINTS)
        join_nearest(statistic);
}

static void add_summary(struct statistic *statistic, double count, double sum, double min,
                        double max)
{
    if (statistic->count == 0 || min < statistic->min)
        statistic->min = min;
    if (statistic->count == 0 || max > statistic->max)
        statistic->max = max;
    statistic->count += count;
    statistic->sum += sum;
}

void statistic_add(struct statistic *statistic, double value, double count)
{
    if (count <= 0)
        return;
    add_summary(statistic, count, value * count, value, value);
    add_point(statistic, value, count);
}

void statistic_add_set(struct statistic *statistic, double count, double sum, double min,
                       double max)
{
    if (count <= 0)
        return;
    add_summary(statistic, count, sum, min, max);
    add_point(statistic, sum / count, count);
}

void statistic_merge(struct statistic *into, const struct statistic *from)
{
    if (from->count <= 0)
        return;
    add_summary(into, from->count, from->sum, from->min, from->max);
    for (size_t i = 0; i < from->point_count; i++)
        add_point(into, from->points[i].value, from->points[i].count);
}

double statistic_percentile(const struct statistic *statistic, double percent)
{
    double wanted = statistic->count * percent / 100, seen = 0;
    for (size_t i = 0; i < statistic->point_count; i++) {
        seen += statistic->points[i].count;
        if (seen >= wanted)
            return statistic->points[i].value;
    }
    return statistic->point_count ? statistic->points[statistic->point_count - 1].value : 0;
}
