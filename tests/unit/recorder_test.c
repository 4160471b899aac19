#include "base/clock.h"
#include "base/file.h"
#include "test_video.h"
#include "video/picture.h"
#include "video/recorder.h"
#include "video/retention.h"
#include "video/source.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ken-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    struct err err;
    return file_remove_tree(folder, &err);
}

static struct recorder_options usual(int width, int height)
{
    return (struct recorder_options){
        .folder = folder, .fps = 30, .width = width, .height = height, .queue = 30, .wait = 1};
}

/* Pictures that do not compress to nothing. */
static AVFrame *noisy(int width, int height, unsigned seed)
{
    AVFrame *frame = av_frame_alloc();
    assert_int_equal(test_video_fill(frame, width, height, (int)seed), 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            seed = seed * 1664525u + 1013904223u;
            frame->data[0][y * frame->linesize[0] + x] = (uint8_t)(seed >> 24);
        }
    return frame;
}

/* Write `count` frames; returns how many were taken before recording failed. */
static int write_frames(struct recorder *recorder, int width, int height, int count,
                        struct err *err)
{
    for (int i = 0; i < count; i++) {
        AVFrame *frame = noisy(width, height, (unsigned)i);
        int result = recorder_write(recorder, frame, (uint64_t)i + 1, err);
        av_frame_free(&frame);
        if (result < 0)
            return i;
    }
    return count;
}

static int play(const char *path, int *width, int *height)
{
    struct err err = {0};
    struct frame frame;
    struct source *source = source_open(path, &(struct source_options){0}, &err);
    if (!source)
        fail_msg("%s", err.message);
    int count = 0;
    while (source_read(source, &frame, &err) == 1) {
        *width = frame.picture->width;
        *height = frame.picture->height;
        count++;
    }
    source_close(source);
    return count;
}

static void record(struct recorder_options options, int count, struct recorder_result *result)
{
    struct err err = {0};
    struct recorder *recorder = recorder_start(&options, &err);
    if (!recorder)
        fail_msg("%s", err.message);
    assert_int_equal(write_frames(recorder, options.width, options.height, count, &err), count);
    if (recorder_finish(recorder, result, &err) < 0)
        fail_msg("%s", err.message);
}

static void an_absent_folder_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_options options = usual(64, 48);
    options.folder = "/tmp/ken-absent";
    assert_null(recorder_start(&options, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_options options = usual(1, 48);
    assert_null(recorder_start(&options, &err));
    options = usual(64, 48);
    options.fps = 0;
    assert_null(recorder_start(&options, &err));
    options = usual(64, 48);
    options.preset = "nonsense";
    assert_null(recorder_start(&options, &err));
    assert_non_null(strstr(err.message, "nonsense"));
}

static void a_recording_plays_back_whole(void **state)
{
    (void)state;
    struct recorder_result result;
    record(usual(64, 48), 150, &result);
    int width, height;
    assert_int_equal(result.frames, 150);
    assert_int_equal(result.dropped, 0);
    assert_int_equal(play(result.path, &width, &height), 150);
    assert_int_equal(width, 64);
    assert_int_equal(height, 48);
}

static void its_name_is_the_time_of_its_start(void **state)
{
    (void)state;
    struct recorder_result first, second;
    record(usual(64, 48), 1, &first);
    record(usual(64, 48), 1, &second);
    int day, month, year, hour, minute, s, end = 0;
    sscanf(strrchr(first.path, '/'), "/%2d_%2d_%4d_%2d_%2d_%2d.mp4%n", &day, &month, &year, &hour,
           &minute, &s, &end);
    assert_int_equal(end, 24);
    assert_string_not_equal(first.path, second.path);
}

static void odd_sizes_lose_a_row_and_a_column(void **state)
{
    (void)state;
    struct recorder_result result;
    record(usual(65, 49), 10, &result);
    int width, height;
    assert_int_equal(play(result.path, &width, &height), 10);
    assert_int_equal(width, 64);
    assert_int_equal(height, 48);
}

/* Whatever the length: what is whole plays, and nothing breaks. */
static void a_file_cut_anywhere_plays_what_is_there(void **state)
{
    (void)state;
    struct recorder_result result;
    record(usual(64, 48), 300, &result); /* fragments of 60 frames */
    int width, height, least = 300, seen[6] = {0};
    for (int i = 1; i <= 40; i++) {
        off_t length = (off_t)(result.bytes * (uint64_t)(41 - i) / 41);
        assert_int_equal(truncate(result.path, length), 0);
        struct err err = {0};
        struct source *source = source_open(result.path, &(struct source_options){0}, &err);
        if (!source) {
            assert_true(err.code == ERR_INVALID); /* not one fragment is left */
            continue;
        }
        source_close(source);
        int frames = play(result.path, &width, &height);
        assert_true(frames <= least);
        least = frames;
        seen[frames / 60]++;
    }
    for (int i = 1; i < 5; i++) /* a cut costs its fragment, no other */
        assert_true(seen[i] > 0);
}

static struct frame frame_of(const AVFrame *picture, uint64_t time_ns)
{
    return (struct frame){.picture = (AVFrame *)picture,
                          .width = picture->width,
                          .height = picture->height,
                          .number = 1,
                          .captured_ns = time_ns};
}

/* Pictures 33 ms apart, from `from_ns` on. */
static void write_timed(struct recorder *recorder, int count, uint64_t from_ns)
{
    struct err err = {0};
    for (int i = 0; i < count; i++) {
        AVFrame *picture = noisy(64, 48, (unsigned)i);
        struct frame frame = frame_of(picture, from_ns + (uint64_t)i * 33333333u);
        assert_int_equal(recorder_write_frame(recorder, &frame, &err), 0);
        av_frame_free(&picture);
    }
}

/* A camera does not wait for the recorder; a test's queue is long enough. */
static struct recorder_options live(void)
{
    struct recorder_options options = usual(64, 48);
    options.wait = 0;
    options.queue = 1000;
    return options;
}

struct finished {
    char paths[8][RECORDER_PATH_BYTES];
    int count;
};

static void on_finished(void *context, const char *path)
{
    struct finished *finished = context;
    char part[RECORDER_PATH_BYTES + 8];
    snprintf(part, sizeof part, "%s.part", path);
    assert_int_equal(access(part, R_OK), 0); /* so nothing is lost by a kill here */
    assert_int_not_equal(access(path, R_OK), 0);
    snprintf(finished->paths[finished->count++ % 8], RECORDER_PATH_BYTES, "%s", path);
}

static void segments_are_cut_at_key_frames(void **state)
{
    (void)state;
    struct err err = {0};
    struct finished finished = {0};
    struct recorder_result result;
    struct recorder_options options = live();
    options.segment_s = 4;
    options.context = &finished;
    options.finished = on_finished;
    struct recorder *recorder = recorder_start(&options, &err);
    write_timed(recorder, 300, 5);
    assert_int_equal(recorder_finish(recorder, &result, &err), 0);
    assert_int_equal(result.files, 3);
    assert_int_equal(finished.count, 3);
    assert_string_equal(result.path, finished.paths[2]);
    int width, height;
    int total = 0;
    for (int i = 0; i < 3; i++) {
        int frames = play(finished.paths[i], &width, &height);
        assert_in_range(frames, i < 2 ? 108 : 50, 130);
        total += frames;
    }
    assert_int_equal(total, 300);
    assert_int_equal(result.frames, 300);
}

static void a_long_gap_and_another_size_begin_a_file(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    struct recorder_options options = live();
    struct recorder *recorder = recorder_start(&options, &err);
    write_timed(recorder, 10, 1);
    write_timed(recorder, 10, 3000000000u); /* a short one does not */
    write_timed(recorder, 10, 100000000000u);
    AVFrame *other = noisy(128, 96, 1);
    struct frame frame = frame_of(other, 101000000000u);
    assert_int_equal(recorder_write_frame(recorder, &frame, &err), 0);
    av_frame_free(&other);
    assert_int_equal(recorder_finish(recorder, &result, &err), 0);
    assert_int_equal(result.files, 3);
    assert_int_equal(result.frames, 31);
    int width, height;
    assert_int_equal(play(result.path, &width, &height), 1);
    assert_int_equal(width, 128);
}

/* Encoded frames reach the decision some frames later: leave the encoder time. */
static void only_events_are_kept_with_what_was_before(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    struct recorder_options options = live();
    options.events_only = 1;
    options.pre_roll_s = 1;
    struct recorder *recorder = recorder_start(&options, &err);
    write_timed(recorder, 270, 1); /* 9 s of nothing; key frames at 0, 2, 4, 6, 8 s */
    usleep(500000);
    recorder_event(recorder, 1);
    write_timed(recorder, 30, 9000000000u);
    usleep(500000);
    recorder_event(recorder, 0);
    usleep(10000);
    write_timed(recorder, 120, clock_monotonic_ns());
    assert_int_equal(recorder_finish(recorder, &result, &err), 0);
    assert_int_equal(result.files, 1);
    /* from the key frame a second or more before the event, to what the encoder had of it */
    assert_in_range(result.frames, 45, 121);
    assert_int_equal(result.frames + result.discarded, 420);
    int width, height;
    assert_int_equal(play(result.path, &width, &height), (int)result.frames);
}

static void without_an_event_there_is_no_file(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    struct recorder_options options = live();
    options.events_only = 1;
    struct recorder *recorder = recorder_start(&options, &err);
    write_timed(recorder, 100, 1);
    assert_int_equal(recorder_finish(recorder, &result, &err), 0);
    assert_int_equal(result.files, 0);
    assert_int_equal(result.discarded, 100);
    assert_string_equal(result.path, "");
}

static void put_recording(const char *name, size_t bytes, int age_s)
{
    struct err err = {0};
    char path[128], *data = calloc(1, bytes);
    snprintf(path, sizeof path, "%s/keep/%s", folder, name);
    assert_int_equal(file_write(path, data, bytes, 0600, &err), 0);
    free(data);
    struct timespec times[2] = {{time(NULL) - age_s, 0}, {time(NULL) - age_s, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int is_kept(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/keep/%s", folder, name);
    return access(path, F_OK) == 0;
}

static int not_the_third(void *context, const char *path)
{
    (void)context;
    return !strstr(path, "03_01_2026");
}

static void the_oldest_recordings_go_first(void **state)
{
    (void)state;
    struct err err = {0};
    char path[64];
    snprintf(path, sizeof path, "%s/keep", folder);
    assert_int_equal(file_make_folders(path, 0700, &err), 0);
    put_recording("01_02_2026_00_00_00.mp4", 1000, 50);
    put_recording("31_12_2025_00_00_00.mp4", 1000, 50);
    put_recording("02_01_2026_00_00_00.mp4.part", 1000, 50);
    put_recording("03_01_2026_00_00_00.mp4", 1000, 50);
    put_recording("notes.mp4", 100000, 99999);
    struct recorder_options options = {
        .folder = path, .keep_bytes = 2000, .may_remove = not_the_third};
    assert_int_equal(retention_apply(&options, NULL), 2);
    assert_false(is_kept("31_12_2025_00_00_00.mp4"));
    assert_false(is_kept("02_01_2026_00_00_00.mp4.part"));
    assert_true(is_kept("03_01_2026_00_00_00.mp4"));
    options.may_remove = NULL;
    options.keep_bytes = 0;
    options.keep_s = 49;
    char current[128];
    snprintf(current, sizeof current, "%s/01_02_2026_00_00_00.mp4", path);
    assert_int_equal(retention_apply(&options, current), 1);
    assert_true(is_kept("01_02_2026_00_00_00.mp4"));
    assert_false(is_kept("03_01_2026_00_00_00.mp4"));
    assert_true(is_kept("notes.mp4"));
}

static void an_absent_encoder_and_copying_pictures_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    struct recorder_options options = usual(64, 48);
    options.codec = RECORDER_COPY;
    struct recorder *recorder = recorder_start(&options, &err);
    AVFrame *picture = noisy(64, 48, 1);
    assert_int_equal(recorder_write(recorder, picture, 1, &err), -1);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    av_frame_free(&picture);
    assert_int_equal(recorder_finish(recorder, &result, &err), 0);
    if (access("/dev/video11", F_OK) == 0)
        skip(); /* a Raspberry Pi has one */
    options.codec = RECORDER_HARDWARE;
    assert_null(recorder_start(&options, &err));
    assert_non_null(strstr(err.message, "h264_v4l2m2m"));
}

static void a_full_disk_stops_the_recording_and_keeps_what_is_there(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    struct recorder_options options = usual(320, 240);
    struct rlimit all, little = {400000, RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    little.rlim_max = all.rlim_max;
    struct recorder *recorder = recorder_start(&options, &err);
    assert_non_null(recorder);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    int taken = write_frames(recorder, 320, 240, 400, &err);
    assert_true(taken < 400);
    assert_non_null(strstr(err.message, "File too large"));
    struct err last = {0};
    assert_int_equal(recorder_finish(recorder, &result, &last), -1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    assert_string_equal(err.message, last.message);
    assert_non_null(strstr(result.path, ".mp4.part"));
    int width, height;
    assert_true(play(result.path, &width, &height) > 0);
}

static void a_slow_encoder_costs_frames_that_are_counted(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    struct recorder_options options = usual(640, 480);
    options.wait = 0;
    options.queue = 2;
    struct recorder *recorder = recorder_start(&options, &err);
    assert_non_null(recorder);
    AVFrame *frame = noisy(640, 480, 1);
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(recorder_write(recorder, frame, i, &err), 0);
    av_frame_free(&frame);
    assert_int_equal(recorder_finish(recorder, &result, &err), 0);
    assert_true(result.dropped > 0);
    assert_int_equal(result.frames + result.dropped, 100);
}

/* However slow the disk is: all of them together are less than may wait. */
static void packets_wait_by_their_bytes(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    struct recorder_options options = live();
    options.codec = RECORDER_COPY;
    options.queue = 2;
    struct recorder *recorder = recorder_start(&options, &err);
    assert_non_null(recorder);
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    parameters->codec_type = AVMEDIA_TYPE_VIDEO;
    parameters->codec_id = AV_CODEC_ID_MJPEG;
    parameters->width = 64;
    parameters->height = 48;
    AVPacket *packet = av_packet_alloc();
    assert_int_equal(av_new_packet(packet, 4000), 0);
    memset(packet->data, 'x', 4000);
    packet->flags = AV_PKT_FLAG_KEY;
    struct frame frame = {.packet = packet, .parameters = parameters, .width = 64, .height = 48};
    for (uint64_t i = 0; i < 300; i++) {
        frame.number = i + 1;
        frame.captured_ns = 1 + i * 33333333;
        frame.begins = i == 0;
        assert_int_equal(recorder_write_frame(recorder, &frame, &err), 0);
    }
    av_packet_free(&packet);
    avcodec_parameters_free(&parameters);
    assert_int_equal(recorder_finish(recorder, &result, &err), 0);
    assert_int_equal(result.dropped, 0);
    assert_int_equal(result.frames, 300);
}

static void finishing_nothing_is_fine(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    assert_int_equal(recorder_finish(NULL, &result, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_folder_is_refused),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(a_recording_plays_back_whole),
        cmocka_unit_test(its_name_is_the_time_of_its_start),
        cmocka_unit_test(odd_sizes_lose_a_row_and_a_column),
        cmocka_unit_test(a_file_cut_anywhere_plays_what_is_there),
        cmocka_unit_test(segments_are_cut_at_key_frames),
        cmocka_unit_test(a_long_gap_and_another_size_begin_a_file),
        cmocka_unit_test(only_events_are_kept_with_what_was_before),
        cmocka_unit_test(without_an_event_there_is_no_file),
        cmocka_unit_test(the_oldest_recordings_go_first),
        cmocka_unit_test(an_absent_encoder_and_copying_pictures_are_refused),
        cmocka_unit_test(a_full_disk_stops_the_recording_and_keeps_what_is_there),
        cmocka_unit_test(a_slow_encoder_costs_frames_that_are_counted),
        cmocka_unit_test(packets_wait_by_their_bytes),
        cmocka_unit_test(finishing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
