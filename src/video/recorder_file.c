#include "video/recorder_file.h"

#include "base/file.h"
#include "base/log.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_NAME_TRIES = 60 };

struct recorder_file {
    char path[RECORDER_PATH_BYTES - 8], part[RECORDER_PATH_BYTES];
    AVFormatContext *format;
    AVStream *stream;
    int fd; /* to sync it by */
    int64_t first_ticks, synced_bytes;
    int began;
    void *context;
    void (*finished)(void *context, const char *path);
};

static int fail(const struct recorder_file *file, const char *verb, int code, struct err *err)
{
    if (code == AVERROR(ENOMEM))
        return err_set(err, ERR_NO_MEMORY, "%s %s: out of memory", verb, file->part);
    if (AVUNERROR(code) > 0 && AVUNERROR(code) < 4096) {
        errno = AVUNERROR(code);
        return err_set_errno(err, "%s %s", verb, file->part);
    }
    char text[AV_ERROR_MAX_STRING_SIZE];
    av_make_error_string(text, sizeof text, code);
    return err_set(err, ERR_IO, "%s %s: %s", verb, file->part, text);
}

/* Take a name that nobody has: a second recording within the same second gets the next one. */
static int choose_name(struct recorder_file *file, const char *folder, time_t begins,
                       struct err *err)
{
    for (int i = 0; i < MAX_NAME_TRIES; i++, begins++) {
        struct tm local;
        char name[32];
        localtime_r(&begins, &local);
        strftime(name, sizeof name, "%d_%m_%Y_%H_%M_%S.mp4", &local);
        int length = snprintf(file->path, sizeof file->path, "%s/%s", folder, name);
        if (length < 0 || (size_t)length >= sizeof file->path)
            return err_set(err, ERR_TOO_BIG, "record into %s: the name is too long", folder);
        snprintf(file->part, sizeof file->part, "%s.part", file->path);
        if (access(file->path, F_OK) == 0)
            continue;
        file->fd = open(file->part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (file->fd >= 0 && flock(file->fd, LOCK_EX | LOCK_NB) < 0)
            log_line(LOG_INFO, "lock %s: %s", file->part, strerror(errno)); /* goes without too */
        if (file->fd >= 0)
            return 0;
        if (errno != EEXIST)
            return err_set_errno(err, "create %s", file->part);
    }
    return err_set(err, ERR_EXISTS, "create %s: exists", file->path);
}

/* A copied stream is not turned itself: players do it, told by the header. */
static int set_turn(struct recorder_file *file, const struct recorder_file_options *options)
{
    if (!options->rotate && !options->mirror)
        return 0;
    int32_t *matrix = (int32_t *)av_stream_new_side_data(file->stream, AV_PKT_DATA_DISPLAYMATRIX,
                                                         sizeof(int32_t) * 9);
    if (!matrix)
        return AVERROR(ENOMEM);
    av_display_rotation_set(matrix, options->rotate);
    av_display_matrix_flip(matrix, options->mirror, 0);
    return 0;
}

static int write_header(struct recorder_file *file)
{
    AVDictionary *settings = NULL;
    av_dict_set(&settings, "movflags", "frag_keyframe+empty_moov+default_base_moof", 0);
    av_dict_set_int(&settings, "frag_duration", RECORDER_FRAGMENT_S * 1000000, 0);
    /* of JPEGs each is a key frame */
    av_dict_set_int(&settings, "min_frag_duration", RECORDER_FRAGMENT_S * 500000, 0);
    int code = avformat_write_header(file->format, &settings);
    av_dict_free(&settings);
    return code < 0 ? code : file->format->pb->error;
}

static int open_format(struct recorder_file *file, const struct recorder_file_options *options,
                       struct err *err)
{
    char url[RECORDER_PATH_BYTES + 16];
    snprintf(url, sizeof url, "file:%s", file->part);
    int code = avformat_alloc_output_context2(&file->format, NULL, "mp4", url);
    if (code < 0)
        return fail(file, "record", code, err);
    file->format->flags |= AVFMT_FLAG_FLUSH_PACKETS; /* a fragment does not wait for the next */
    file->stream = avformat_new_stream(file->format, NULL);
    if (!file->stream)
        return fail(file, "record", AVERROR(ENOMEM), err);
    file->stream->time_base = (AVRational){1, RECORDER_TICKS};
    file->stream->avg_frame_rate = av_d2q(options->fps, 100000);
    code = avcodec_parameters_copy(file->stream->codecpar, options->parameters);
    file->stream->codecpar->codec_tag = 0;
    if (code >= 0)
        code = set_turn(file, options);
    if (code >= 0)
        code = avio_open(&file->format->pb, url, AVIO_FLAG_WRITE);
    if (code < 0)
        return fail(file, "record", code, err);
    code = write_header(file);
    return code < 0 ? fail(file, "write", code, err) : 0;
}

static void destroy(struct recorder_file *file)
{
    if (file->format)
        avio_closep(&file->format->pb);
    avformat_free_context(file->format);
    if (file->fd >= 0)
        close(file->fd);
    free(file);
}

struct recorder_file *recorder_file_open(const struct recorder_file_options *options,
                                         struct err *err)
{
    struct recorder_file *file = calloc(1, sizeof *file);
    if (!file) {
        err_set(err, ERR_NO_MEMORY, "record video: out of memory");
        return NULL;
    }
    file->fd = -1;
    file->context = options->context;
    file->finished = options->finished;
    if (choose_name(file, options->folder, options->begins, err) < 0) {
        destroy(file);
        return NULL;
    }
    if (open_format(file, options, err) < 0) {
        unlink(file->part);
        destroy(file);
        return NULL;
    }
    return file;
}

/* After a fragment has been written: a power cut costs the one that is being gathered. */
static int sync_fragment(struct recorder_file *file, struct err *err)
{
    int64_t bytes = avio_tell(file->format->pb);
    if (bytes == file->synced_bytes)
        return 0;
    file->synced_bytes = bytes;
    return fdatasync(file->fd) < 0 ? err_set_errno(err, "store %s", file->part) : 0;
}

int recorder_file_write(struct recorder_file *file, struct AVPacket *packet, struct err *err)
{
    if (!file->began)
        file->first_ticks = packet->pts;
    file->began = 1;
    packet->pts -= file->first_ticks;
    packet->dts -= file->first_ticks;
    packet->stream_index = 0;
    av_packet_rescale_ts(packet, (AVRational){1, RECORDER_TICKS}, file->stream->time_base);
    int code = av_write_frame(file->format, packet);
    av_packet_unref(packet);
    if (code >= 0)
        code = file->format->pb->error;
    return code < 0 ? fail(file, "write", code, err) : sync_fragment(file, err);
}

/* The bytes to the disk, then the name: a file with its name is complete, also after a power cut.
 */
static int publish(struct recorder_file *file, struct err *err)
{
    int code = av_write_trailer(file->format);
    int closed = avio_closep(&file->format->pb);
    if (code < 0 || closed < 0)
        return fail(file, "write", code < 0 ? code : closed, err);
    if (fsync(file->fd) < 0)
        return err_set_errno(err, "store %s", file->part);
    if (file->finished)
        file->finished(file->context, file->path);
    return file_move(file->part, file->path, err);
}

int recorder_file_finish(struct recorder_file *file, int keep_part, char path[RECORDER_PATH_BYTES],
                         uint64_t *bytes, struct err *err)
{
    struct stat status;
    int result = keep_part ? 0 : publish(file, err);
    snprintf(path, RECORDER_PATH_BYTES, "%s", keep_part || result < 0 ? file->part : file->path);
    *bytes = fstat(file->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
    destroy(file);
    return result;
}

const char *recorder_file_part(const struct recorder_file *file)
{
    return file->part;
}
