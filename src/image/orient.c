#include "image/codec.h"

#include <string.h>

/* Where upright pixel (x, y) is in the stored picture, as steps in bytes: start + x*across +
 * y*down.
 */
struct walk {
    const uint8_t *start;
    ptrdiff_t across, down;
};

static struct walk walk_of(const struct image *in, int orientation)
{
    ptrdiff_t pixel = 3, row = (ptrdiff_t)in->stride;
    const uint8_t *left = in->pixels, *right = left + 3 * ((ptrdiff_t)in->width - 1);
    ptrdiff_t last = row * ((ptrdiff_t)in->height - 1);
    switch (orientation) {
    case 2: /* mirrored */
        return (struct walk){right, -pixel, row};
    case 3: /* half a turn */
        return (struct walk){right + last, -pixel, -row};
    case 4: /* upside down, mirrored */
        return (struct walk){left + last, pixel, -row};
    case 5: /* rows are columns */
        return (struct walk){left, row, pixel};
    case 6: /* the stored left side is the top */
        return (struct walk){left + last, -row, pixel};
    case 7:
        return (struct walk){right + last, -row, -pixel};
    default: /* 8: the stored right side is the top */
        return (struct walk){right, row, -pixel};
    }
}

int image_orient(struct image *image, int orientation, struct err *err)
{
    if (orientation < 2 || orientation > 8)
        return 0;
    struct image out = {0};
    int turned = orientation >= 5;
    if (image_resize_buffer(&out, turned ? image->height : image->width,
                            turned ? image->width : image->height, err) < 0)
        return -1;
    struct walk walk = walk_of(image, orientation);
    for (int y = 0; y < out.height; y++) {
        const uint8_t *from = walk.start + y * walk.down;
        uint8_t *to = out.pixels + (size_t)y * out.stride;
        for (int x = 0; x < out.width; x++, from += walk.across, to += 3)
            memcpy(to, from, 3);
    }
    image_finish(image);
    *image = out;
    return 0;
}
