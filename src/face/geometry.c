#include "face/parts.h"

#include <math.h>
#include <stdlib.h>

static float area(const struct face_box *box)
{
    return (box->right - box->left) * (box->bottom - box->top);
}

float face_box_overlap(const struct face_box *a, const struct face_box *b)
{
    float width = fminf(a->right, b->right) - fmaxf(a->left, b->left);
    float height = fminf(a->bottom, b->bottom) - fmaxf(a->top, b->top);
    if (width <= 0 || height <= 0)
        return 0;
    float shared = width * height;
    return shared / (area(a) + area(b) - shared);
}

static int by_score(const void *a, const void *b)
{
    const struct face_box *first = a, *second = b;
    return (first->score < second->score) - (first->score > second->score);
}

size_t face_suppress(struct face_box *boxes, size_t count, float limit)
{
    qsort(boxes, count, sizeof *boxes, by_score);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < kept && face_box_overlap(&boxes[i], &boxes[j]) <= limit)
            j++;
        if (j == kept)
            boxes[kept++] = boxes[i];
    }
    return kept;
}

struct letterbox letterbox_fit(int width, int height, int input_width, int input_height)
{
    double scale = fmin((double)input_width / width, (double)input_height / height);
    struct letterbox fit = {.width = (int)lround(width * scale),
                            .height = (int)lround(height * scale)};
    fit.width = fit.width < 1 ? 1 : fit.width;
    fit.height = fit.height < 1 ? 1 : fit.height;
    fit.per_x = (double)width / fit.width;
    fit.per_y = (double)height / fit.height;
    return fit;
}

static void mean_of(const float (*points)[2], size_t count, double mean[2])
{
    mean[0] = mean[1] = 0;
    for (size_t i = 0; i < count; i++) {
        mean[0] += points[i][0];
        mean[1] += points[i][1];
    }
    mean[0] /= (double)count;
    mean[1] /= (double)count;
}

int face_fit_similarity(const float (*from)[2], const float (*to)[2], size_t count, double m[2][3])
{
    double from_mean[2], to_mean[2], along = 0, across = 0, spread = 0;
    mean_of(from, count, from_mean);
    mean_of(to, count, to_mean);
    for (size_t i = 0; i < count; i++) {
        double x = from[i][0] - from_mean[0], y = from[i][1] - from_mean[1];
        double u = to[i][0] - to_mean[0], v = to[i][1] - to_mean[1];
        along += x * u + y * v;
        across += x * v - y * u;
        spread += x * x + y * y;
    }
    if (!(spread > 1e-6) || !(along * along + across * across > 0))
        return -1;
    double a = along / spread, b = across / spread;
    m[0][0] = a;
    m[0][1] = -b;
    m[0][2] = to_mean[0] - a * from_mean[0] + b * from_mean[1];
    m[1][0] = b;
    m[1][1] = a;
    m[1][2] = to_mean[1] - b * from_mean[0] - a * from_mean[1];
    return 0;
}

void face_invert_similarity(const double m[2][3], double inverse[2][3])
{
    double size = m[0][0] * m[0][0] + m[1][0] * m[1][0];
    double a = m[0][0] / size, b = m[1][0] / size;
    inverse[0][0] = a;
    inverse[0][1] = b;
    inverse[0][2] = -a * m[0][2] - b * m[1][2];
    inverse[1][0] = -b;
    inverse[1][1] = a;
    inverse[1][2] = b * m[0][2] - a * m[1][2];
}
