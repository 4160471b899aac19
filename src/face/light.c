#include "face/parts.h"

#include <math.h>

enum { LEVELS = 256, PART = 72, LEAST_SPREAD = 20 /* levels: noise is not to become a face */ };
static const double usual_mean = 0.45;
static const int cut_off = 50; /* one pixel of 50 may be darker, one lighter than the range */

static void count_levels(unsigned counts[LEVELS], const struct image *input)
{
    int left = (input->width - PART) / 2, top = (input->height - PART) / 2;
    for (int y = top; y < top + PART; y++) {
        const uint8_t *pixel = input->pixels + (size_t)y * input->stride + 3 * (size_t)left;
        for (int x = 0; x < PART; x++, pixel += 3)
            counts[(2 * pixel[0] + 5 * pixel[1] + pixel[2]) / 8]++;
    }
}

struct range {
    int low, high;
    double power; /* takes the mean of what lies in the range near the middle */
};

static struct range find_range(const unsigned counts[LEVELS])
{
    const unsigned few = PART * PART / cut_off;
    struct range range = {0, LEVELS - 1, 1};
    for (unsigned below = 0; below + counts[range.low] < few; range.low++)
        below += counts[range.low];
    for (unsigned above = 0; above + counts[range.high] < few; range.high--)
        above += counts[range.high];
    if (range.high - range.low < LEAST_SPREAD)
        range.high = range.low + LEAST_SPREAD;
    double sum = 0;
    for (int i = 0; i < LEVELS; i++)
        sum += counts[i] * (fmin(fmax(i, range.low), range.high) - range.low);
    double mean = sum / (PART * PART) / (range.high - range.low);
    range.power = log(usual_mean) / log(fmin(fmax(mean, 0.05), 0.95));
    return range;
}

void detector_even_light(struct image *input)
{
    unsigned counts[LEVELS] = {0};
    uint8_t evened[LEVELS];
    count_levels(counts, input);
    struct range range = find_range(counts);
    for (int i = 0; i < LEVELS; i++) {
        double part = fmin(fmax((double)(i - range.low) / (range.high - range.low), 0), 1);
        evened[i] = (uint8_t)lround((LEVELS - 1) * pow(part, range.power));
    }
    for (int y = 0; y < input->height; y++) {
        uint8_t *row = input->pixels + (size_t)y * input->stride;
        for (int i = 0; i < 3 * input->width; i++)
            row[i] = evened[row[i]];
    }
}
