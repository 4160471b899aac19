#include "video/pattern.h"

#include <libavutil/frame.h>

#include <string.h>

enum { DARK = 40, LIGHT = 210, DIGITS = 8, GLYPH_WIDTH = 3, GLYPH_HEIGHT = 5 };

/* Rows from the top, three bits each, the left one highest. */
static const uint16_t glyphs[10] = {
    075557, 026227, 071747, 071717, 055711, 074717, 074757, 071111, 075757, 075717,
};

struct box {
    int x, y, width, height;
};

static void fill(AVFrame *picture, int plane, struct box box, int value)
{
    for (int y = box.y; y < box.y + box.height; y++)
        memset(picture->data[plane] + (ptrdiff_t)y * picture->linesize[plane] + box.x, value,
               (size_t)box.width);
}

static void draw_ramp(AVFrame *picture, uint64_t number)
{
    int drift = (int)(number * 2 % 256);
    for (int y = 0; y < picture->height; y++) {
        uint8_t *row = picture->data[0] + (ptrdiff_t)y * picture->linesize[0];
        for (int x = 0; x < picture->width; x++)
            row[x] = (uint8_t)(64 + ((x + y + drift) & 127));
    }
    struct box chroma = {0, 0, (picture->width + 1) / 2, (picture->height + 1) / 2};
    fill(picture, 1, chroma, 128 + (int)(number % 64) - 32);
    fill(picture, 2, chroma, 128);
}

/* Back and forth over `room` pixels. */
static int bounce(uint64_t steps, int room)
{
    int at = room > 0 ? (int)(steps % (uint64_t)(2 * room)) : 0;
    return at < room ? at : 2 * room - at;
}

static void draw_square(AVFrame *picture, uint64_t number)
{
    int side = picture->height / 6;
    struct box box = {bounce(number * 3, picture->width - side),
                      bounce(number * 2, picture->height - side), side, side};
    fill(picture, 0, box, 235);
}

static void draw_number(AVFrame *picture, uint64_t number)
{
    int dot = picture->width / (DIGITS * (GLYPH_WIDTH + 1) + 2);
    fill(picture, 0,
         (struct box){0, 0, (DIGITS * (GLYPH_WIDTH + 1) + 1) * dot, (GLYPH_HEIGHT + 2) * dot}, 16);
    for (int digit = DIGITS - 1; digit >= 0; digit--, number /= 10)
        for (int bit = 0; bit < GLYPH_WIDTH * GLYPH_HEIGHT; bit++)
            if (glyphs[number % 10] >> (GLYPH_WIDTH * GLYPH_HEIGHT - 1 - bit) & 1)
                fill(picture, 0,
                     (struct box){(digit * (GLYPH_WIDTH + 1) + 1 + bit % GLYPH_WIDTH) * dot,
                                  (1 + bit / GLYPH_WIDTH) * dot, dot, dot},
                     235);
}

static struct box block(const AVFrame *picture, int bit)
{
    int left = bit * picture->width / PATTERN_BITS, height = picture->height / 8;
    return (struct box){left, picture->height - height,
                        (bit + 1) * picture->width / PATTERN_BITS - left, height};
}

void pattern_draw(struct AVFrame *picture, uint64_t number)
{
    draw_ramp(picture, number);
    draw_square(picture, number);
    draw_number(picture, number);
    for (int bit = 0; bit < PATTERN_BITS; bit++)
        fill(picture, 0, block(picture, bit), number >> bit & 1 ? LIGHT : DARK);
}

uint64_t pattern_read(const struct AVFrame *picture)
{
    uint64_t number = 0;
    for (int bit = 0; bit < PATTERN_BITS; bit++) {
        struct box box = block(picture, bit);
        const uint8_t *middle = picture->data[0] +
                                (ptrdiff_t)(box.y + box.height / 2) * picture->linesize[0] + box.x +
                                box.width / 2;
        number |= (uint64_t)(*middle > (DARK + LIGHT) / 2) << bit;
    }
    return number;
}
