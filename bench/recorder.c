/* What recording costs: processor time a frame and bytes a second, by encoder preset.
 * usage: recorder VIDEO [SECONDS]; exits with 77 (skipped) when the video is absent. */
#include "video/recorder.h"
#include "video/source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 3, FPS = 30, SKIPPED = 77 };

static int record(const char *video, double seconds, const char *folder, const char *preset,
                  struct recorder_result *result, struct err *err)
{
    struct source_options options = {.seconds = seconds, .fps = FPS, .loop = 1};
    struct source *source = source_open(video, &options, err);
    struct recorder *recorder = NULL;
    struct frame frame;
    int more = source ? source_read(source, &frame, err) : -1;
    for (; more == 1; more = source_read(source, &frame, err)) {
        struct recorder_options how = {.folder = folder,
                                       .fps = FPS,
                                       .width = frame.width,
                                       .height = frame.height,
                                       .queue = 30,
                                       .wait = 1,
                                       .preset = preset};
        if (!recorder && !(recorder = recorder_start(&how, err)))
            break;
        if (recorder_write(recorder, frame.picture, frame.number, err) < 0)
            break;
    }
    source_close(source);
    if (recorder_finish(recorder, result, err) < 0 || more != 0)
        return -1;
    unlink(result->path);
    return 0;
}

int main(int argc, char **argv)
{
    const char *const presets[] = {"ultrafast", "superfast", "veryfast", "fast"};
    const size_t count = sizeof presets / sizeof *presets;
    const char *video = argc > 1 ? argv[1] : "";
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 10;
    char folder[] = "/tmp/ken-bench-XXXXXX";
    double best_ms[sizeof presets / sizeof *presets], bytes_s[sizeof presets / sizeof *presets];
    struct err err = {0};
    if (access(video, R_OK) != 0) {
        printf("skipped: no video to record (usage: recorder VIDEO [SECONDS])\n");
        return SKIPPED;
    }
    if (!mkdtemp(folder))
        return 1;
    int failed = 0;
    for (int round = 0; round < ROUNDS && !failed; round++)
        for (size_t i = 0; i < count && !failed; i++) {
            struct recorder_result result;
            failed = record(video, seconds, folder, presets[i], &result, &err) < 0;
            double ms = failed ? 0 : result.cpu_s * 1000 / (double)result.frames;
            best_ms[i] = round == 0 ? ms : fmin(best_ms[i], ms);
            bytes_s[i] = failed ? 0 : (double)result.bytes / seconds;
        }
    if (failed)
        fprintf(stderr, "%s\n", err.message);
    for (size_t i = 0; i < count && !failed; i++)
        printf("%-10s %6.2f ms a frame, %4.1f %% of a core at %d fps, %7.1f KB/s\n", presets[i],
               best_ms[i], best_ms[i] * FPS / 10, FPS, bytes_s[i] / 1000);
    rmdir(folder);
    return failed;
}
