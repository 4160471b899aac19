/* A picture as a network's input, by what its model file says. */
#include "face/parts.h"
#include "simd/kernels.h"

static int is_plain(const struct model_use *use)
{
    for (int c = 1; c < 3; c++)
        if (use->mean[c] != use->mean[0] || use->scale[c] != use->scale[0])
            return 0;
    return use->order == ORDER_RGB;
}

/* Grey by ITU-R BT.601. */
static void fill_grey(float *out, const uint8_t *in, size_t pixels, const struct model_use *use)
{
    for (size_t i = 0; i < pixels; i++, in += 3)
        out[i] = (0.299f * in[0] + 0.587f * in[1] + 0.114f * in[2] - use->mean[0]) * use->scale[0];
}

void face_fill_input(struct session *session, const struct image *image,
                     const struct model_use *use)
{
    size_t pixels = (size_t)image->width * (size_t)image->height;
    const uint8_t *in = image->pixels;
    float *out = session_input(session, 0);
    if (use->order == ORDER_GREY) {
        fill_grey(out, in, pixels, use);
        return;
    }
    if (is_plain(use)) {
        simd_kernels(simd_best())
            ->normalize_u8_f32(out, in, 3 * pixels, use->mean[0], use->scale[0]);
        return;
    }
    const float *mean = use->mean, *scale = use->scale;
    size_t first = use->order == ORDER_BGR ? 2 : 0;
    for (size_t i = 0; i < pixels; i++, in += 3, out += 3) {
        out[0] = ((float)in[first] - mean[0]) * scale[0];
        out[1] = ((float)in[1] - mean[1]) * scale[1];
        out[2] = ((float)in[2 - first] - mean[2]) * scale[2];
    }
}
