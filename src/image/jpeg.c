#include "image/codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

/* libjpeg reports errors by a callback that may not return, so this file, alone in ken, uses
 * setjmp: each entry point sets the one place to come back to, and everything it must release is in
 * its struct. */

/* A hostile progressive file can hold thousands of scans, each a pass over the whole picture. */
enum { JPEG_MAX_SCANS = 100, EXIF_MAX_BYTES = 65533 };

struct trap {
    struct jpeg_error_mgr manager; /* first: libjpeg hands back its address */
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
};

struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_progress_mgr progress;
    struct trap trap;
};

enum { CHUNK_BYTES = 16384 };

struct encoder {
    struct jpeg_compress_struct jpeg;
    struct jpeg_destination_mgr destination;
    struct trap trap;
    struct buf *out;
    uint8_t chunk[CHUNK_BYTES];
};

static void leave(j_common_ptr common)
{
    struct trap *trap = (struct trap *)common->err;
    common->err->format_message(common, trap->message);
    longjmp(trap->back, 1);
}

static int is_harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
           code == JWRN_BOGUS_ICC || code == JWRN_TOO_MUCH_DATA;
}

/* A damaged picture is refused, so there is no use in the rest of it. */
static void note(j_common_ptr common, int level)
{
    struct trap *trap = (struct trap *)common->err;
    if (level >= 0 || is_harmless(common->err->msg_code))
        return;
    common->err->format_message(common, trap->message);
    longjmp(trap->back, 1);
}

static void stay_silent(j_common_ptr common)
{
    (void)common;
}

static struct jpeg_error_mgr *set_trap(struct trap *trap)
{
    *trap = (struct trap){0};
    jpeg_std_error(&trap->manager);
    trap->manager.error_exit = leave;
    trap->manager.emit_message = note;
    trap->manager.output_message = stay_silent;
    return &trap->manager;
}

static void count_scans(j_common_ptr common)
{
    struct trap *trap = (struct trap *)common->err;
    if (((j_decompress_ptr)common)->input_scan_number <= JPEG_MAX_SCANS)
        return;
    snprintf(trap->message, sizeof trap->message, "more than %d scans", JPEG_MAX_SCANS);
    longjmp(trap->back, 1);
}

static int orientation_of(const struct jpeg_decompress_struct *jpeg)
{
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length >= 6 &&
            memcmp(m->data, "Exif\0\0", 6) == 0)
            return exif_orientation(m->data, m->data_length);
    return 1;
}

static void read_header(struct decoder *decoder, const uint8_t *data, size_t size)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    jpeg_create_decompress(jpeg);
    decoder->progress.progress_monitor = count_scans;
    jpeg->progress = &decoder->progress;
    jpeg_mem_src(jpeg, data, (unsigned long)size);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, EXIF_MAX_BYTES);
    jpeg_read_header(jpeg, TRUE);
    jpeg->out_color_space = jpeg->num_components == 4 ? JCS_CMYK : JCS_RGB;
}

static void read_rgb(struct jpeg_decompress_struct *jpeg, struct image *image)
{
    enum { ROWS = 16 };
    JSAMPROW rows[ROWS];
    while (jpeg->output_scanline < jpeg->output_height) {
        JDIMENSION count = jpeg->output_height - jpeg->output_scanline;
        if (count > ROWS)
            count = ROWS;
        for (JDIMENSION i = 0; i < count; i++)
            rows[i] = image->pixels + (jpeg->output_scanline + i) * image->stride;
        jpeg_read_scanlines(jpeg, rows, count);
    }
}

/* Adobe stores ink inverted: 255 is none. */
static void read_cmyk(struct jpeg_decompress_struct *jpeg, struct image *image)
{
    unsigned flip = jpeg->saw_Adobe_marker ? 0 : 255;
    JSAMPARRAY ink =
        jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, 4 * jpeg->output_width, 1);
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *to = image->pixels + jpeg->output_scanline * image->stride;
        jpeg_read_scanlines(jpeg, ink, 1);
        for (size_t x = 0; x < jpeg->output_width; x++)
            for (size_t c = 0; c < 3; c++)
                to[3 * x + c] =
                    (uint8_t)((ink[0][4 * x + c] ^ flip) * (ink[0][4 * x + 3] ^ flip) / 255);
    }
}

static int decode(struct decoder *decoder, struct image *image, const uint8_t *data, size_t size,
                  struct err *err)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (setjmp(decoder->trap.back))
        return err_set(err, ERR_INVALID, "truncated or damaged JPEG: %s", decoder->trap.message);
    read_header(decoder, data, size);
    if (image_check_size(jpeg->image_width, jpeg->image_height, err) < 0 ||
        image_resize_buffer(image, (int)jpeg->image_width, (int)jpeg->image_height, err) < 0)
        return -1;
    jpeg_start_decompress(jpeg);
    if (jpeg->out_color_space == JCS_CMYK)
        read_cmyk(jpeg, image);
    else
        read_rgb(jpeg, image);
    int orientation = orientation_of(jpeg); /* finishing drops the markers */
    jpeg_finish_decompress(jpeg);
    return image_orient(image, orientation, err);
}

int jpeg_decode(struct image *image, const uint8_t *data, size_t size, struct err *err)
{
    struct decoder decoder = {0};
    decoder.jpeg.err = set_trap(&decoder.trap);
    int result = decode(&decoder, image, data, size, err);
    jpeg_destroy_decompress(&decoder.jpeg);
    return result;
}

static struct encoder *encoder_of(j_compress_ptr jpeg)
{
    return (struct encoder *)jpeg; /* its first member */
}

static void start_chunk(j_compress_ptr jpeg)
{
    jpeg->dest->next_output_byte = encoder_of(jpeg)->chunk;
    jpeg->dest->free_in_buffer = CHUNK_BYTES;
}

static void put_chunk(j_compress_ptr jpeg, size_t size)
{
    struct encoder *encoder = encoder_of(jpeg);
    if (buf_append(encoder->out, encoder->chunk, size) == 0)
        return;
    snprintf(encoder->trap.message, sizeof encoder->trap.message, "more than %zu bytes",
             encoder->out->limit);
    longjmp(encoder->trap.back, 1);
}

static boolean next_chunk(j_compress_ptr jpeg)
{
    put_chunk(jpeg, CHUNK_BYTES); /* libjpeg leaves free_in_buffer stale: the chunk is full */
    start_chunk(jpeg);
    return TRUE;
}

static void last_chunk(j_compress_ptr jpeg)
{
    put_chunk(jpeg, CHUNK_BYTES - jpeg->dest->free_in_buffer);
}

static void set_destination(struct encoder *encoder)
{
    encoder->destination.init_destination = start_chunk;
    encoder->destination.empty_output_buffer = next_chunk;
    encoder->destination.term_destination = last_chunk;
    encoder->jpeg.dest = &encoder->destination;
}

static int encode(struct encoder *encoder, const struct image *image, int quality, struct err *err)
{
    struct jpeg_compress_struct *jpeg = &encoder->jpeg;
    if (setjmp(encoder->trap.back))
        return err_set(err, ERR_TOO_BIG, "write JPEG: %s", encoder->trap.message);
    jpeg_create_compress(jpeg);
    set_destination(encoder);
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = image->pixels + jpeg->next_scanline * image->stride;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
    return 0;
}

int jpeg_encode(const struct image *image, int quality, struct buf *out, struct err *err)
{
    struct encoder encoder;
    encoder.out = out;
    encoder.jpeg.mem = NULL; /* for jpeg_destroy_compress() after an early failure */
    encoder.jpeg.err = set_trap(&encoder.trap);
    int result = encode(&encoder, image, quality, err);
    jpeg_destroy_compress(&encoder.jpeg);
    return result;
}
