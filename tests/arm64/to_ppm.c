/* A photo as plain pixels (PPM), for programs without picture codecs: to_ppm PHOTO OUT.ppm */
#include "image/image.h"

#include <stdio.h>

static int write_ppm(const struct image *image, const char *path)
{
    FILE *out = fopen(path, "wb");
    if (!out)
        return -1;
    fprintf(out, "P6 %d %d 255\n", image->width, image->height);
    for (int y = 0; y < image->height; y++)
        fwrite(image->pixels + (size_t)y * image->stride, 3, (size_t)image->width, out);
    int failed = ferror(out);
    return fclose(out) != 0 || failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct image image;
    if (argc != 3)
        return 2;
    if (image_read(&image, argv[1], &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    int failed = write_ppm(&image, argv[2]) < 0;
    image_finish(&image);
    return failed;
}
