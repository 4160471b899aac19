#include "face/quality.h"

#include <math.h>
#include <string.h>

/* An average adult head, millimetres: x to the picture's right, y down, z away from the camera,
 * from the middle between the eyes' inner corners; with the point's place among the 68. Our own
 * round figures: usual widths and heights, and the depths with which the angles measured on photos
 * agree with what the faces' foreshortening says (docs/recognition.md). */
struct head_point {
    int index;
    double at[3];
};
static const struct head_point head[] = {
    {36, {-45, 0, 8}},  {39, {-17, 0, 0}},  {42, {17, 0, 0}},   {45, {45, 0, 8}},
    {27, {0, -4, -16}}, {30, {0, 39, -39}}, {33, {0, 50, -18}}, {48, {-27, 69, 10}},
    {54, {27, 69, 10}}, {8, {0, 116, 14}},
};
enum { HEAD_POINTS = sizeof head / sizeof *head };

/* The same head's five points: eye centres, nose tip, mouth corners. */
static const struct head_point head_of_five[] = {
    {0, {-31, 0, 4}}, {1, {31, 0, 4}}, {2, {0, 39, -39}}, {3, {-27, 69, 10}}, {4, {27, 69, 10}},
};
enum { HEAD_FIVE = sizeof head_of_five / sizeof *head_of_five };

static const double degrees = 180 / 3.14159265358979323846;

struct moments {
    double head[3][3];    /* sum of X X^T */
    double picture[2][3]; /* sum of p X^T */
};

static struct moments gather(const struct head_point *model, size_t count, const float (*points)[2])
{
    double head_mean[3] = {0}, mean[2] = {0};
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < 3; k++)
            head_mean[k] += model[i].at[k] / (double)count;
        for (int k = 0; k < 2; k++)
            mean[k] += (double)points[model[i].index][k] / (double)count;
    }
    struct moments out = {0};
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 3; k++) {
            double x = model[i].at[k] - head_mean[k];
            for (int j = 0; j < 3; j++)
                out.head[j][k] += x * (model[i].at[j] - head_mean[j]);
            for (int j = 0; j < 2; j++)
                out.picture[j][k] += x * (points[model[i].index][j] - mean[j]);
        }
    return out;
}

static void cross(double out[3], const double a[3], const double b[3])
{
    for (int k = 0; k < 3; k++)
        out[k] = a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3];
}

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* row = row * inverse(m), m symmetric. */
static void solve_row(double row[3], const double m[3][3])
{
    double adjugate[3][3];
    for (int k = 0; k < 3; k++)
        cross(adjugate[k], m[(k + 1) % 3], m[(k + 2) % 3]);
    double determinant = dot(m[0], adjugate[0]), in[3] = {row[0], row[1], row[2]};
    for (int k = 0; k < 3; k++)
        row[k] = dot(in, adjugate[k]) / determinant;
}

/* The nearest two rows of unit length at right angles: (A A^T)^(-1/2) A. Returns 0 for none. */
static int make_orthonormal(double a[2][3])
{
    double p = dot(a[0], a[0]), q = dot(a[0], a[1]), r = dot(a[1], a[1]);
    double root = sqrt(fmax(p * r - q * q, 0)), trace = sqrt(p + r + 2 * root);
    if (!(root > 1e-9 * (p + r)) || !isfinite(trace))
        return 0;
    for (int k = 0; k < 3; k++) { /* the inverse root of a symmetric 2x2 matrix, in closed form */
        double x = a[0][k], y = a[1][k];
        a[0][k] = ((r + root) * x - q * y) / (root * trace);
        a[1][k] = ((p + root) * y - q * x) / (root * trace);
    }
    return 1;
}

static void set_pose(struct face_quality *quality, const struct moments *moments)
{
    quality->yaw_deg = quality->pitch_deg = quality->roll_deg = 0;
    double turn[3][3];
    memcpy(turn, moments->picture, sizeof moments->picture);
    solve_row(turn[0], (const double(*)[3])moments->head);
    solve_row(turn[1], (const double(*)[3])moments->head);
    if (!make_orthonormal(turn))
        return;
    cross(turn[2], turn[0], turn[1]);
    /* turn = roll about z, then yaw about y, then pitch about x */
    quality->roll_deg = (float)(degrees * atan2(turn[1][0], turn[0][0]));
    quality->yaw_deg = (float)(degrees * asin(fmax(fmin(turn[2][0], 1), -1)));
    quality->pitch_deg = (float)(degrees * atan2(-turn[2][1], turn[2][2]));
}

void quality_measure_pose(struct face_quality *quality, const float (*points)[2])
{
    struct moments moments = gather(head, HEAD_POINTS, points);
    set_pose(quality, &moments);
}

void quality_measure_pose_from_five(struct face_quality *quality, const float (*five)[2])
{
    struct moments moments = gather(head_of_five, HEAD_FIVE, five);
    set_pose(quality, &moments);
}

/* The face without most of hair and background, pixels of the chip. */
enum { LEFT = 20, TOP = 28, WIDTH = 72, HEIGHT = 80, AREA = WIDTH * HEIGHT };

/* Binomial weights blur like a Gaussian: 5 have the variance 1, 9 the variance 2. */
static const float narrow[] = {1 / 16.0f, 4 / 16.0f, 6 / 16.0f, 4 / 16.0f, 1 / 16.0f};
static const float wide[] = {1 / 256.0f,  8 / 256.0f,  28 / 256.0f, 56 / 256.0f, 70 / 256.0f,
                             56 / 256.0f, 28 / 256.0f, 8 / 256.0f,  1 / 256.0f};
static const double narrow_variance = 1, wide_variance = 2;
static const double difference_variance =
    1 / 12.0; /* a difference of neighbours is a box, 1 wide */

/* Blurs `in` of width x height both ways; what the weights do not cover falls off: `out` is smaller
 * by count - 1 each way. */
static void blur(float *out, const float *in, int width, int height, const float *weights,
                 int count)
{
    float row[WIDTH];
    int inner = width - count + 1;
    for (int y = 0; y + count <= height; y++, in += width, out += inner) {
        for (int x = 0; x < width; x++)
            row[x] = 0;
        for (int k = 0; k < count; k++)
            for (int x = 0; x < width; x++)
                row[x] += weights[k] * in[k * width + x];
        for (int x = 0; x < inner; x++)
            out[x] = 0;
        for (int k = 0; k < count; k++)
            for (int x = 0; x < inner; x++)
                out[x] += weights[k] * row[x + k];
    }
}

/* Mean square of the gradient, `margin` pixels off the border. */
static double gradient_energy(const float *in, int width, int height, int margin)
{
    double sum = 0;
    for (int y = margin; y + 1 < height - margin; y++) {
        const float *at = in + y * width;
        float row = 0;
        for (int x = margin; x + 1 < width - margin; x++) {
            float across = at[x + 1] - at[x], down = at[x + width] - at[x];
            row += across * across + down * down;
        }
        sum += (double)row;
    }
    return sum;
}

/* Where a step edge was smeared with variance v, the energy of its gradient goes with 1 / sqrt(v):
 * the ratio of the energies before and after another blur of known variance tells v (after Zhuo and
 * Sim, "Defocus map estimation from a single image", 2011). The first blur is against noise. */
static double estimate_blur(const float *grey)
{
    enum { W1 = WIDTH - 4, H1 = HEIGHT - 4, W2 = W1 - 8, H2 = H1 - 8 };
    float once[W1 * H1], twice[W2 * H2];
    blur(once, grey, WIDTH, HEIGHT, narrow, 5);
    blur(twice, once, W1, H1, wide, 9);
    double before = gradient_energy(once, W1, H1, 4), after = gradient_energy(twice, W2, H2, 0);
    double ratio = before / after; /* not a number for a face of one grey */
    double variance = wide_variance / (ratio * ratio - 1) - narrow_variance - difference_variance;
    if (!(after > 0) || !(ratio > 1) || variance > QUALITY_MAX_BLUR * QUALITY_MAX_BLUR)
        return QUALITY_MAX_BLUR;
    return variance > 0 ? sqrt(variance) : 0;
}

void quality_measure_chip(struct face_quality *quality, const struct image *chip)
{
    float grey[AREA];
    double sum = 0, squares = 0;
    for (int y = 0; y < HEIGHT; y++) {
        const uint8_t *in = chip->pixels + (size_t)(TOP + y) * chip->stride + (size_t)3 * LEFT;
        for (int x = 0; x < WIDTH; x++, in += 3) {
            float value = 0.299f * in[0] + 0.587f * in[1] + 0.114f * in[2]; /* ITU-R BT.601 */
            grey[y * WIDTH + x] = value;
            sum += (double)value;
            squares += (double)value * (double)value;
        }
    }
    double mean = sum / AREA;
    quality->brightness = (float)mean;
    quality->contrast = (float)sqrt(fmax(squares / AREA - mean * mean, 0));
    quality->blur_px = (float)estimate_blur(grey);
}
