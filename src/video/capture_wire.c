#include "video/capture_wire.h"

#include <string.h>

static const char magic[4] = {'K', 'C', 'A', 'P'};

static void put32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get32(const uint8_t *in)
{
    return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

int capture_is_device(const char *location)
{
    return strncmp(location, "v4l2:", 5) == 0 || strncmp(location, "/dev/", 5) == 0;
}

void capture_header_write(const struct capture_header *header, uint8_t out[CAPTURE_HEADER_BYTES])
{
    memcpy(out, magic, sizeof magic);
    put32(out + 4, header->kind);
    put32(out + 8, header->flags);
    put32(out + 12, header->size);
    put32(out + 16, (uint32_t)header->captured_ns);
    put32(out + 20, (uint32_t)(header->captured_ns >> 32));
}

int capture_header_read(struct capture_header *header, const uint8_t in[CAPTURE_HEADER_BYTES],
                        struct err *err)
{
    static const uint32_t limits[] = {
        [CAPTURE_FORMAT] = CAPTURE_FORMAT_BYTES + CAPTURE_MAX_PARAMETER_BYTES,
        [CAPTURE_PACKET] = CAPTURE_MAX_PACKET_BYTES,
        [CAPTURE_ERROR] = CAPTURE_MAX_ERROR_BYTES,
        [CAPTURE_ALIVE] = 1,
    };
    uint32_t kind = get32(in + 4), size = get32(in + 12);
    if (memcmp(in, magic, sizeof magic) != 0 || kind < CAPTURE_FORMAT || kind > CAPTURE_ALIVE)
        return err_set(err, ERR_CORRUPT, "read from ken-capture: no message of its");
    if (size < 1 || size > limits[kind])
        return err_set(err, ERR_CORRUPT, "read from ken-capture: a message of %u bytes", size);
    *header = (struct capture_header){
        .kind = (enum capture_kind)kind,
        .flags = get32(in + 8),
        .size = size,
        .captured_ns = get32(in + 16) | (uint64_t)get32(in + 20) << 32,
    };
    return 0;
}

void capture_format_write(const struct capture_format *format, uint8_t out[CAPTURE_FORMAT_BYTES])
{
    put32(out, format->codec);
    put32(out + 4, (uint32_t)format->width);
    put32(out + 8, (uint32_t)format->height);
    put32(out + 12, (uint32_t)(format->fps * 1000 + 0.5));
}

int capture_format_read(struct capture_format *format, const uint8_t *in, size_t size,
                        struct err *err)
{
    if (size < CAPTURE_FORMAT_BYTES || size > CAPTURE_FORMAT_BYTES + CAPTURE_MAX_PARAMETER_BYTES)
        return err_set(err, ERR_CORRUPT, "read from ken-capture: a format of %zu bytes", size);
    uint32_t codec = get32(in), width = get32(in + 4), height = get32(in + 8);
    if (codec < CAPTURE_H264 || codec > CAPTURE_YUYV || width < 2 || height < 2 ||
        width > CAPTURE_MAX_SIDE || height > CAPTURE_MAX_SIDE)
        return err_set(err, ERR_CORRUPT, "read from ken-capture: codec %u of %ux%u pixels", codec,
                       width, height);
    *format = (struct capture_format){
        .codec = (enum capture_codec)codec,
        .width = (int)width,
        .height = (int)height,
        .fps = get32(in + 12) / 1000.0,
        .parameters = in + CAPTURE_FORMAT_BYTES,
        .parameter_bytes = size - CAPTURE_FORMAT_BYTES,
    };
    return 0;
}

static const char *const codec_names[] = {
    [CAPTURE_H264] = "h264", [CAPTURE_MJPEG] = "mjpeg", [CAPTURE_YUYV] = "yuyv"};

const char *capture_codec_name(enum capture_codec codec)
{
    return codec_names[codec];
}

int capture_codec_parse(const char *name, enum capture_codec *codec, struct err *err)
{
    for (int i = CAPTURE_H264; i <= CAPTURE_YUYV; i++)
        if (strcmp(name, codec_names[i]) == 0) {
            *codec = (enum capture_codec)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "a camera's format is h264, mjpeg or yuyv, not \"%s\"", name);
}
