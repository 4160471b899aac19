#include "video/decoder.h"

#include "image/image.h"

#include <libavcodec/avcodec.h>

#include <stdlib.h>

struct decoder {
    AVCodecContext *codec;
    AVFrame *picture, *next;
    AVPacket *waiting[DECODER_MAX_WAITING];
    int count;
    size_t bytes;
    int fresh; /* `picture` is of the packet decoded last */
};

static int out_of_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "decode video: out of memory");
}

static int open_codec(struct decoder *decoder, const AVCodecParameters *parameters, struct err *err)
{
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    if (!codec)
        return err_set(err, ERR_UNSUPPORTED, "decode video: libavcodec here reads no %s",
                       avcodec_get_name(parameters->codec_id));
    decoder->codec = avcodec_alloc_context3(codec);
    decoder->picture = av_frame_alloc();
    decoder->next = av_frame_alloc();
    if (!decoder->codec || !decoder->picture || !decoder->next ||
        avcodec_parameters_to_context(decoder->codec, parameters) < 0)
        return out_of_memory(err);
    decoder->codec->thread_count = 1; /* the other processors have faces to find */
    decoder->codec->max_pixels = IMAGE_MAX_PIXELS;
    decoder->codec->flags |= AV_CODEC_FLAG_LOW_DELAY; /* cameras send pictures as they are shown */
    if (avcodec_open2(decoder->codec, codec, NULL) < 0)
        return err_set(err, ERR_UNSUPPORTED, "decode video: the decoder of %s does not start",
                       codec->name);
    return 0;
}

struct decoder *decoder_create(const struct AVCodecParameters *parameters, struct err *err)
{
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) {
        out_of_memory(err);
        return NULL;
    }
    if (open_codec(decoder, parameters, err) < 0) {
        decoder_destroy(decoder);
        return NULL;
    }
    return decoder;
}

static void drop_waiting(struct decoder *decoder)
{
    for (int i = 0; i < decoder->count; i++)
        av_packet_free(&decoder->waiting[i]);
    decoder->count = 0;
    decoder->bytes = 0;
}

void decoder_destroy(struct decoder *decoder)
{
    if (!decoder)
        return;
    drop_waiting(decoder);
    av_frame_free(&decoder->picture);
    av_frame_free(&decoder->next);
    avcodec_free_context(&decoder->codec);
    free(decoder);
}

/* A damaged packet costs a picture, not the camera. */
static int decode(struct decoder *decoder, const AVPacket *packet)
{
    decoder->fresh = 0;
    int code = avcodec_send_packet(decoder->codec, packet);
    while (code >= 0 && (code = avcodec_receive_frame(decoder->codec, decoder->next)) >= 0) {
        AVFrame *shown = decoder->picture;
        decoder->picture = decoder->next;
        decoder->next = shown;
        decoder->fresh = 1;
    }
    return code == AVERROR(ENOMEM) ? -1 : 0;
}

static int decode_waiting(struct decoder *decoder, struct err *err)
{
    int result = 0;
    for (int i = 0; i < decoder->count && result == 0; i++)
        result = decode(decoder, decoder->waiting[i]);
    drop_waiting(decoder);
    return result < 0 ? out_of_memory(err) : 0;
}

int decoder_push(struct decoder *decoder, const struct AVPacket *packet, struct err *err)
{
    decoder->fresh = 0;
    if (packet->flags & AV_PKT_FLAG_KEY)
        drop_waiting(decoder); /* what was not asked for is not needed any more */
    if ((decoder->count == DECODER_MAX_WAITING ||
         decoder->bytes + (size_t)packet->size > DECODER_MAX_WAITING_BYTES) &&
        decode_waiting(decoder, err) < 0)
        return -1;
    AVPacket *kept = av_packet_clone(packet);
    if (!kept)
        return out_of_memory(err);
    decoder->waiting[decoder->count++] = kept;
    decoder->bytes += (size_t)packet->size;
    return 0;
}

int decoder_picture(struct decoder *decoder, struct AVFrame **picture, struct err *err)
{
    if (decode_waiting(decoder, err) < 0)
        return -1;
    *picture = decoder->picture;
    return decoder->fresh;
}
