#include "face/parts.h"
#include "face/recognizer.h"

#include <math.h>

static void move_points(float out[][2], const float five[][2], const struct face_view *view)
{
    float centre[2] = {0}, eyes = hypotf(five[1][0] - five[0][0], five[1][1] - five[0][1]);
    for (int i = 0; i < FACE_LANDMARKS; i++)
        for (int k = 0; k < 2; k++)
            centre[k] += five[i][k] / FACE_LANDMARKS;
    for (int i = 0; i < FACE_LANDMARKS; i++)
        for (int k = 0; k < 2; k++)
            out[i][k] = centre[k] + (five[i][k] - centre[k]) * view->scale + view->shift[k] * eyes;
}

static void mirror(struct image *chip)
{
    for (int y = 0; y < chip->height; y++) {
        uint8_t *row = chip->pixels + (size_t)y * chip->stride;
        for (int x = 0; x < chip->width / 2; x++)
            for (int c = 0; c < 3; c++) {
                uint8_t *left = row + 3 * x + c, *right = row + 3 * (chip->width - 1 - x) + c;
                uint8_t kept = *left;
                *left = *right;
                *right = kept;
            }
    }
}

static void light(struct image *chip, float gamma)
{
    uint8_t curve[256];
    for (int i = 0; i < 256; i++)
        curve[i] = (uint8_t)lrintf(255 * powf((float)i / 255, gamma));
    for (int y = 0; y < chip->height; y++) {
        uint8_t *row = chip->pixels + (size_t)y * chip->stride;
        for (int x = 0; x < 3 * chip->width; x++)
            row[x] = curve[row[x]];
    }
}

int embedder_view(struct embedder *embedder, const struct image *image, const float five[][2],
                  const struct face_view *view, float *embedding)
{
    float moved[FACE_LANDMARKS][2];
    move_points(moved, five, view);
    if (embedder_align(embedder, image, (const float(*)[2])moved) < 0)
        return -1;
    if (view->mirrored)
        mirror(&embedder->input);
    light(&embedder->input, view->gamma);
    return embedder_embed(embedder, embedding);
}
