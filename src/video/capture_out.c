#include "video/capture_out.h"

#include "video/bitstream.h"

#include <libavcodec/avcodec.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int write_all(int fd, struct iovec *parts, int count, struct err *err)
{
    while (count > 0) {
        ssize_t written = writev(fd, parts, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return err_set(err, ERR_UNAVAILABLE, "hand a picture over: %s", strerror(errno));
        while (count > 0 && (size_t)written >= parts->iov_len) {
            written -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return 0;
}

static int send_message(struct capture_out *out, struct capture_header header, const void *data,
                        const void *more, size_t more_bytes, struct err *err)
{
    uint8_t bytes[CAPTURE_HEADER_BYTES];
    header.size += (uint32_t)more_bytes;
    capture_header_write(&header, bytes);
    struct iovec parts[] = {{bytes, sizeof bytes},
                            {(void *)data, header.size - more_bytes},
                            {(void *)more, more_bytes}};
    return write_all(out->fd, parts, 3, err);
}

static int send_format(struct capture_out *out, struct err *err)
{
    uint8_t fixed[CAPTURE_FORMAT_BYTES];
    capture_format_write(&out->format, fixed);
    struct capture_header header = {.kind = CAPTURE_FORMAT, .size = sizeof fixed};
    out->began = 1;
    return send_message(out, header, fixed, out->parameters, out->format.parameter_bytes, err);
}

/* The size that an SPS promises, told by libavcodec's parser. */
static int h264_size(const struct capture_picture *picture, int *width, int *height)
{
    AVCodecParserContext *parser = av_parser_init(AV_CODEC_ID_H264);
    AVCodecContext *codec = avcodec_alloc_context3(NULL);
    *width = *height = 0;
    if (parser && codec) {
        uint8_t *unit;
        int bytes;
        parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
        av_parser_parse2(parser, codec, &unit, &bytes, picture->data, (int)picture->size,
                         AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);
        *width = parser->width;
        *height = parser->height;
    }
    av_parser_close(parser);
    avcodec_free_context(&codec);
    return *width > 0 && *height > 0 ? 0 : -1;
}

/* Returns 1 when `picture` can be handed over (after a new FORMAT, with `changed`), 0 when not. */
static int look_at_h264(struct capture_out *out, const struct capture_picture *picture, int *key,
                        int *changed)
{
    struct h264_unit unit;
    h264_inspect(picture->data, picture->size, &unit);
    *key = unit.key;
    if (!unit.key || unit.parameter_bytes == 0)
        return out->began;
    if (unit.parameter_bytes > sizeof out->parameters)
        return 0;
    if (out->began && unit.parameter_bytes == out->format.parameter_bytes &&
        memcmp(unit.parameters, out->parameters, unit.parameter_bytes) == 0)
        return 1;
    int width, height;
    if (h264_size(picture, &width, &height) < 0)
        return 0;
    memcpy(out->parameters, unit.parameters, unit.parameter_bytes);
    out->format.parameter_bytes = unit.parameter_bytes;
    out->format.width = width;
    out->format.height = height;
    *changed = 1;
    return 1;
}

static int look_at(struct capture_out *out, const struct capture_picture *picture, int *key,
                   int *changed)
{
    if (picture->codec == CAPTURE_H264)
        return look_at_h264(out, picture, key, changed);
    int width = picture->width, height = picture->height;
    if (picture->codec == CAPTURE_MJPEG &&
        jpeg_size(picture->data, picture->size, &width, &height) < 0)
        return 0;
    if (picture->codec == CAPTURE_YUYV && picture->size != (size_t)width * 2 * (size_t)height)
        return 0;
    *key = 1;
    *changed = !out->began || width != out->format.width || height != out->format.height;
    out->format.width = width;
    out->format.height = height;
    return 1;
}

/* A little more than asked, and half a picture early, so that a camera at just that rate loses none
 * by the unsteadiness of its clock. */
static const double allowed_rate = 1.02, allowed_at_once = 1.5;

/* A camera that gives more than it was asked for: is the picture one too many? H.264's depend on
 * each other. */
static int is_too_many(struct capture_out *out, const struct capture_picture *picture)
{
    if (out->max_fps <= 0 || picture->codec == CAPTURE_H264)
        return 0;
    double passed_s = (double)(picture->captured_ns - out->accepted_ns) / 1e9;
    out->allowance += passed_s * out->max_fps * allowed_rate;
    if (!out->accepted_ns || out->allowance > allowed_at_once)
        out->allowance = allowed_at_once;
    out->accepted_ns = picture->captured_ns;
    if (out->allowance < 1)
        return 1;
    out->allowance -= 1;
    return 0;
}

int capture_out_write(struct capture_out *out, const struct capture_picture *picture,
                      struct err *err)
{
    int key = 0, changed = 0;
    if (picture->size == 0 || picture->size > CAPTURE_MAX_PACKET_BYTES ||
        is_too_many(out, picture) || !look_at(out, picture, &key, &changed))
        return 0;
    if (out->format.width > CAPTURE_MAX_SIDE || out->format.height > CAPTURE_MAX_SIDE)
        return err_set(err, ERR_TOO_BIG, "the picture of %dx%d pixels is past the limit of %d",
                       out->format.width, out->format.height, CAPTURE_MAX_SIDE);
    out->format.codec = picture->codec;
    out->format.fps = picture->fps > 0 && picture->fps < 1000 ? picture->fps : 0;
    if (out->max_fps > 0 && out->format.fps > out->max_fps && picture->codec != CAPTURE_H264)
        out->format.fps = out->max_fps;
    if (changed && send_format(out, err) < 0)
        return -1;
    struct capture_header header = {
        .kind = CAPTURE_PACKET,
        .flags = key ? CAPTURE_KEY : 0,
        .size = (uint32_t)picture->size,
        .captured_ns = picture->captured_ns,
    };
    return send_message(out, header, picture->data, NULL, 0, err);
}

int capture_out_is_closed(const struct capture_out *out)
{
    struct pollfd end = {.fd = out->fd};
    return poll(&end, 1, 0) == 1 && (end.revents & (POLLERR | POLLHUP));
}

void capture_out_error(struct capture_out *out, const char *text)
{
    struct err ignored;
    size_t length = strnlen(text, CAPTURE_MAX_ERROR_BYTES);
    struct capture_header header = {.kind = CAPTURE_ERROR, .size = (uint32_t)length};
    if (length > 0 && send_message(out, header, text, NULL, 0, &ignored) < 0)
        return; /* nobody is left to be told */
}

void capture_out_alive(struct capture_out *out, enum capture_stage stage)
{
    struct err ignored;
    const uint8_t byte = (uint8_t)stage;
    struct capture_header header = {.kind = CAPTURE_ALIVE, .size = 1};
    if (send_message(out, header, &byte, NULL, 0, &ignored) < 0)
        return;
}
