#include "image/codec.h"
#include "test_picture.h"

#include <stdio.h>

#include <jpeglib.h>
#include <libdeflate.h>
#include <png.h>

enum { FILE_BYTES = 1 << 22 };

static struct buf encoded(const struct image *image, enum image_format format)
{
    struct err err = {0};
    struct buf out;
    buf_init(&out, FILE_BYTES);
    assert_int_equal(image_encode(image, format, 90, &out, &err), 0);
    return out;
}

static void assert_refused(const void *data, size_t size, enum err_code code, const char *text)
{
    struct err err = {0};
    struct image image;
    /* A copy of the exact size, so that a sanitizer sees each read past it. */
    void *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    assert_int_equal(image_decode(&image, copy, size, &err), -1);
    free(copy);
    assert_int_equal(err.code, code);
    if (text && !strstr(err.message, text))
        fail_msg("\"%s\" does not say \"%s\"", err.message, text);
    assert_null(strchr(err.message, '\n'));
    assert_null(image.pixels);
}

static void assert_same(const struct image *a, const struct image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int y = 0; y < a->height; y++)
        assert_memory_equal(pixel(a, 0, y), pixel(b, 0, y), 3 * (size_t)a->width);
}

static void decode_refuses_text_and_nothing(void **state)
{
    (void)state;
    assert_refused("", 0, ERR_INVALID, "empty");
    assert_refused("this is text, named .png", 24, ERR_INVALID, "neither a PNG nor a JPEG");
    assert_refused("\0\0\0\x24"
                   "ftypheic\0\0\0\0",
                   16, ERR_INVALID, "may be HEIC");
    assert_refused("RIFF\1\2\3\4WEBPVP8 ", 16, ERR_INVALID, "may be WebP");
    assert_refused("\0\0\0\x24"
                   "ftyp",
                   8, ERR_INVALID, "picture");
    assert_refused("\x89PNG\r\n\x1a\n", 8, ERR_INVALID, "PNG");
    assert_refused("\xff\xd8\xff", 3, ERR_INVALID, "JPEG");
}

static void put_long(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (24 - 8 * i));
}

static void set_png_size(struct buf *file, uint32_t width, uint32_t height)
{
    put_long(file->data + 16, width);
    put_long(file->data + 20, height);
    put_long(file->data + 29, libdeflate_crc32(0, file->data + 12, 17));
}

static void decode_refuses_a_png_header_past_the_limits(void **state)
{
    (void)state;
    struct image image = test_picture(16, 16);
    struct buf file = encoded(&image, IMAGE_PNG);
    set_png_size(&file, 20000, 20000);
    assert_refused(file.data, file.size, ERR_TOO_BIG, "20000x20000");
    set_png_size(&file, 16384, 16384);
    assert_refused(file.data, file.size, ERR_TOO_BIG, "16384x16384");
    set_png_size(&file, 0xffffffff, 0xffffffff);
    assert_refused(file.data, file.size, ERR_TOO_BIG, NULL);
    set_png_size(&file, 0, 16);
    assert_refused(file.data, file.size, ERR_INVALID, "no pixels");
    set_png_size(&file, 16, 17); /* fewer rows than promised */
    assert_refused(file.data, file.size, ERR_INVALID, "PNG");
    buf_finish(&file);
    image_finish(&image);
}

static void decode_refuses_a_jpeg_header_past_the_limits(void **state)
{
    (void)state;
    struct image image = test_picture(16, 16);
    struct buf file = encoded(&image, IMAGE_JPEG);
    char *frame = memmem(file.data, file.size, "\xff\xc0", 2);
    assert_non_null(frame);
    frame[5] = frame[7] = 20000 >> 8;
    frame[6] = frame[8] = 20000 & 255;
    assert_refused(file.data, file.size, ERR_TOO_BIG, "20000x20000");
    buf_finish(&file);
    image_finish(&image);
}

static void decode_refuses_every_truncation(void **state)
{
    (void)state;
    struct image image = test_picture(40, 30);
    for (enum image_format format = IMAGE_PNG; format <= IMAGE_JPEG; format++) {
        struct buf file = encoded(&image, format);
        /* Where only the end marker is missing, the picture is whole. */
        size_t last = file.size - (format == IMAGE_JPEG ? 3 : 13);
        for (size_t size = 0; size <= last; size++)
            assert_refused(file.data, size, ERR_INVALID, NULL);
        buf_finish(&file);
    }
    image_finish(&image);
}

static void decode_refuses_changed_png_bytes(void **state)
{
    (void)state;
    struct image image = test_picture(40, 30);
    struct buf file = encoded(&image, IMAGE_PNG);
    for (size_t at = 41; at + 16 < file.size; at += 37) { /* within the IDAT chunk */
        file.data[at] ^= 0x10;
        assert_refused(file.data, file.size, ERR_INVALID, "PNG");
        file.data[at] ^= 0x10;
    }
    buf_finish(&file);
    image_finish(&image);
}

static void decode_refuses_a_progressive_jpeg_of_many_scans(void **state)
{
    (void)state;
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    enum { SCANS = 150 };
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = jpeg.image_height = 8;
    jpeg.input_components = 1;
    jpeg.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t row[8] = {1, 50, 3, 200, 5, 90, 7, 255};
    for (int y = 0; y < 8; y++) {
        JSAMPROW rows = row;
        jpeg_write_scanlines(&jpeg, &rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    /* Repeat the last scan until there are too many. */
    unsigned char *last = NULL;
    for (unsigned char *at = bytes; at < bytes + size - 2; at++)
        if (at[0] == 0xff && at[1] == 0xda)
            last = at;
    assert_non_null(last);
    size_t head = (size_t)(last - bytes), scan = size - head - 2;
    struct buf file;
    buf_init(&file, FILE_BYTES);
    buf_append(&file, bytes, head);
    for (int i = 0; i < SCANS; i++)
        buf_append(&file, last, scan);
    buf_append(&file, "\xff\xd9", 2);
    assert_refused(file.data, file.size, ERR_INVALID, NULL);
    buf_finish(&file);
    free(bytes);
}

static void png_round_trip_is_exact_at_every_size_and_stride(void **state)
{
    (void)state;
    struct err err = {0};
    struct image picture = test_picture(70, 50), back = {0};
    put_noise(pixel(&picture, 0, 20), picture.stride * 10);
    for (int width = 1; width <= 70; width += 3) {
        struct image view = picture;
        view.owned = 0;
        view.width = width;
        view.height = width > 50 ? 50 : width;
        struct buf file = encoded(&view, IMAGE_PNG);
        assert_int_equal(image_decode_again(&back, file.data, file.size, &err), 0);
        assert_same(&view, &back);
        buf_finish(&file);
    }
    image_finish(&back);
    image_finish(&picture);
}

/* libpng forgives a wrong sum at the end, others do not. */
static void png_ends_as_every_png_does(void **state)
{
    (void)state;
    struct image picture = test_picture(30, 20);
    struct buf file = encoded(&picture, IMAGE_PNG);
    assert_memory_equal(file.data + file.size - 12, "\0\0\0\0IEND\xae\x42\x60\x82", 12);
    buf_finish(&file);
    image_finish(&picture);
}

static void png_of_a_frame_takes_the_fast_way(void **state)
{
    (void)state;
    struct image picture = test_picture(30, 20), back = {0};
    struct buf file = encoded(&picture, IMAGE_PNG);
    assert_int_equal(png_decode_plain(&back, (const uint8_t *)file.data, file.size), 1);
    assert_same(&picture, &back);
    image_finish(&back);
    buf_finish(&file);
    image_finish(&picture);
}

/* libpng chooses the filter of each row anew: all five come up in 90 rows of noise and gradient. */
static void png_of_libpng_decodes_to_the_same_pixels(void **state)
{
    (void)state;
    struct err err = {0};
    struct image picture = test_picture(333, 90), back;
    put_noise(pixel(&picture, 0, 40), picture.stride * 4);
    png_image png = {
        .version = PNG_IMAGE_VERSION, .width = 333, .height = 90, .format = PNG_FORMAT_RGB};
    static uint8_t file[FILE_BYTES];
    png_alloc_size_t size = sizeof file;
    assert_true(png_image_write_to_memory(&png, file, &size, 0, picture.pixels, 0, NULL));
    assert_int_equal(image_decode(&back, file, size, &err), 0);
    assert_same(&picture, &back);
    image_finish(&back);
    image_finish(&picture);
}

static struct image decoded_png_of(uint32_t format, const void *pixels, const void *colours,
                                   uint32_t entries)
{
    struct err err = {0};
    struct image back;
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = 2,
                     .height = 1,
                     .format = format,
                     .colormap_entries = entries};
    uint8_t file[4096];
    png_alloc_size_t size = sizeof file;
    assert_true(png_image_write_to_memory(&png, file, &size, 0, pixels, 0, colours));
    assert_int_equal(image_decode(&back, file, size, &err), 0);
    assert_int_equal(back.width, 2);
    return back;
}

static void png_grey_alpha_palette_and_16_bits_become_rgb(void **state)
{
    (void)state;
    struct image image = decoded_png_of(PNG_FORMAT_GRAY, "\x11\xee", NULL, 0);
    assert_memory_equal(image.pixels, "\x11\x11\x11\xee\xee\xee", 6);
    image_finish(&image);
    /* Wholly transparent over black is black; opaque stays. */
    image = decoded_png_of(PNG_FORMAT_RGBA, "\xff\xff\xff\x00\x10\x20\x30\xff", NULL, 0);
    assert_memory_equal(image.pixels, "\x00\x00\x00\x10\x20\x30", 6);
    image_finish(&image);
    image = decoded_png_of(PNG_FORMAT_RGB_COLORMAP, "\x01\x00", "\x01\x02\x03\xf1\xf2\xf3", 2);
    assert_memory_equal(image.pixels, "\xf1\xf2\xf3\x01\x02\x03", 6);
    image_finish(&image);
    image = decoded_png_of(PNG_FORMAT_LINEAR_Y, (uint16_t[]){0, 65535}, NULL, 0);
    assert_memory_equal(image.pixels, "\x00\x00\x00\xff\xff\xff", 6);
    image_finish(&image);
}

static double mean_difference(const struct image *a, const struct image *b)
{
    double sum = 0;
    for (int y = 0; y < a->height; y++)
        for (int i = 0; i < 3 * a->width; i++)
            sum += abs(pixel(a, 0, y)[i] - pixel(b, 0, y)[i]);
    return sum / (3.0 * a->width * a->height);
}

static void jpeg_round_trip_stays_close(void **state)
{
    (void)state;
    struct err err = {0};
    struct image picture = test_picture(321, 123), back;
    struct buf file = encoded(&picture, IMAGE_JPEG);
    assert_int_equal(image_decode(&back, file.data, file.size, &err), 0);
    assert_int_equal(back.width, 321);
    assert_int_equal(back.height, 123);
    assert_true(mean_difference(&picture, &back) < 8);
    buf_finish(&file);
    image_finish(&back);
    image_finish(&picture);
}

static void encode_stops_at_the_limit_of_its_buffer(void **state)
{
    (void)state;
    struct image picture = test_picture(321, 123);
    for (enum image_format format = IMAGE_PNG; format <= IMAGE_JPEG; format++) {
        struct err err = {0};
        struct buf out;
        buf_init(&out, 1000);
        assert_int_equal(image_encode(&picture, format, 90, &out, &err), -1);
        assert_int_equal(err.code, ERR_TOO_BIG);
        buf_finish(&out);
    }
    image_finish(&picture);
}

static void jpeg_of_inverted_cmyk_becomes_rgb(void **state)
{
    (void)state;
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = jpeg.image_height = 8;
    jpeg.input_components = 4;
    jpeg.in_color_space = JCS_CMYK;
    jpeg_set_defaults(&jpeg); /* writes the Adobe marker */
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t row[32];
    for (int i = 0; i < 32; i++)
        row[i] = (uint8_t[]){255, 128, 0, 255}[i % 4];
    for (int y = 0; y < 8; y++) {
        JSAMPROW rows = row;
        jpeg_write_scanlines(&jpeg, &rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    struct err err = {0};
    struct image image;
    assert_int_equal(image_decode(&image, bytes, size, &err), 0);
    assert_in_range(image.pixels[0], 252, 255);
    assert_in_range(image.pixels[1], 125, 131);
    assert_in_range(image.pixels[2], 0, 3);
    image_finish(&image);
    free(bytes);
}

/* A JPEG of 64x48, a bright stripe on top and a dark one on the left, with an EXIF block. */
static struct buf jpeg_with_orientation(int orientation, int big_endian)
{
    struct image image = test_picture(64, 48);
    for (int y = 0; y < 48; y++)
        for (int x = 0; x < 64; x++)
            memset(pixel(&image, x, y), x < 16 ? 20 : y < 16 ? 240 : 128, 3);
    struct buf plain = encoded(&image, IMAGE_JPEG), file;
    image_finish(&image);
    char exif[] = "\xff\xe1\x00\x22"
                  "Exif\0\0"
                  "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x00\0\0\0\0\0\0\0";
    if (big_endian)
        memcpy(exif + 10, "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x00\0\0", 22);
    exif[big_endian ? 29 : 28] = (char)orientation;
    buf_init(&file, FILE_BYTES);
    buf_append(&file, plain.data, 2);
    buf_append(&file, exif, 36);
    buf_append(&file, plain.data + 2, plain.size - 2);
    buf_finish(&plain);
    return file;
}

static int grey_at(const struct image *image, int x, int y)
{
    return pixel(image, x < 0 ? image->width + x : x, y < 0 ? image->height + y : y)[1];
}

static void exif_orientation_turns_the_picture_upright(void **state)
{
    (void)state;
    struct err err = {0};
    /* Where the dark stripe's middle and the bright stripe's far end come to lie. */
    static const int dark[9][2] = {{0},     {4, 24}, {-4, 24}, {-4, 24}, {4, 24},
                                   {24, 4}, {24, 4}, {24, -4}, {24, -4}};
    static const int bright[9][2] = {{0},     {-4, 4},  {4, 4},  {4, -4}, {-4, -4},
                                     {4, -4}, {-4, -4}, {-4, 4}, {4, 4}};
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int big_endian = 0; big_endian < 2; big_endian++) {
            struct buf file = jpeg_with_orientation(orientation, big_endian);
            struct image image;
            assert_int_equal(image_decode(&image, file.data, file.size, &err), 0);
            assert_int_equal(image.width, orientation >= 5 ? 48 : 64);
            assert_int_equal(image.height, orientation >= 5 ? 64 : 48);
            assert_in_range(grey_at(&image, dark[orientation][0], dark[orientation][1]), 10, 30);
            assert_in_range(grey_at(&image, bright[orientation][0], bright[orientation][1]), 230,
                            250);
            image_finish(&image);
            buf_finish(&file);
        }
}

static void a_damaged_exif_block_is_ignored(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf file = jpeg_with_orientation(6, 0);
    for (size_t at = 6; at < 38; at++)
        for (int value = 0; value < 256; value += 51) {
            char old = file.data[at];
            file.data[at] = (char)value;
            struct image image;
            assert_int_equal(image_decode(&image, file.data, file.size, &err), 0);
            image_finish(&image);
            file.data[at] = old;
        }
    buf_finish(&file);
}

static void decode_again_keeps_the_memory(void **state)
{
    (void)state;
    struct err err = {0};
    struct image picture = test_picture(64, 48), image = {0};
    for (enum image_format format = IMAGE_PNG; format <= IMAGE_JPEG; format++) {
        struct buf file = encoded(&picture, format);
        assert_int_equal(image_decode_again(&image, file.data, file.size, &err), 0);
        uint8_t *before = image.pixels;
        assert_int_equal(image_decode_again(&image, file.data, file.size, &err), 0);
        assert_ptr_equal(image.pixels, before);
        buf_finish(&file);
    }
    assert_int_equal(image_decode_again(&image, "x", 1, &err), -1);
    assert_null(image.pixels);
    image_finish(&picture);
}

/* The definition, in doubles: the mean over the footprint, borders repeated. */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_refuses_text_and_nothing),
        cmocka_unit_test(decode_refuses_a_png_header_past_the_limits),
        cmocka_unit_test(decode_refuses_a_jpeg_header_past_the_limits),
        cmocka_unit_test(decode_refuses_every_truncation),
        cmocka_unit_test(decode_refuses_changed_png_bytes),
        cmocka_unit_test(decode_refuses_a_progressive_jpeg_of_many_scans),
        cmocka_unit_test(png_round_trip_is_exact_at_every_size_and_stride),
        cmocka_unit_test(png_ends_as_every_png_does),
        cmocka_unit_test(png_of_a_frame_takes_the_fast_way),
        cmocka_unit_test(png_of_libpng_decodes_to_the_same_pixels),
        cmocka_unit_test(png_grey_alpha_palette_and_16_bits_become_rgb),
        cmocka_unit_test(jpeg_round_trip_stays_close),
        cmocka_unit_test(jpeg_of_inverted_cmyk_becomes_rgb),
        cmocka_unit_test(encode_stops_at_the_limit_of_its_buffer),
        cmocka_unit_test(exif_orientation_turns_the_picture_upright),
        cmocka_unit_test(a_damaged_exif_block_is_ignored),
        cmocka_unit_test(decode_again_keeps_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
