#include "cli/output.h"
#include "base/clock.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

json_t *json_file_name(const char *name)
{
    json_t *text = json_string(name);
    if (text)
        return text;
    char *copy = strdup(name);
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    text = json_string(copy ? copy : "?");
    free(copy);
    return text;
}

/* Rounded to what the measures can tell. */
static json_t *number(float value, double steps)
{
    return json_real(round((double)value * steps) / steps);
}

json_t *json_quality(const struct face_quality *quality)
{
    json_t *out = json_object();
    json_object_set_new(out, "eye_distance_px", number(quality->eye_distance_px, 10));
    json_object_set_new(out, "blur_px", number(quality->blur_px, 100));
    json_object_set_new(out, "yaw_deg", number(quality->yaw_deg, 10));
    json_object_set_new(out, "pitch_deg", number(quality->pitch_deg, 10));
    json_object_set_new(out, "roll_deg", number(quality->roll_deg, 10));
    json_object_set_new(out, "brightness", number(quality->brightness, 10));
    json_object_set_new(out, "contrast", number(quality->contrast, 10));
    return out;
}

json_t *json_rate(const struct rate *rate)
{
    if (rate->trials == 0)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:I, s:I}", "value", rate->value, "low", rate->low, "high",
                     rate->high, "count", (json_int_t)rate->hits, "trials",
                     (json_int_t)rate->trials);
}

void output_rate(const struct rate *rate)
{
    if (rate->trials == 0)
        printf("unknown");
    else
        printf("%.2f %% (%zu of %zu; %.2f to %.2f %%)", 100 * rate->value, rate->hits, rate->trials,
               100 * rate->low, 100 * rate->high);
}

const char *output_reason(const char *reason, const char *path)
{
    static const char before[] = "read ";
    const size_t start = sizeof before - 1, length = strlen(path);
    if (strncmp(reason, before, start) == 0 && strncmp(reason + start, path, length) == 0 &&
        strncmp(reason + start + length, ": ", 2) == 0)
        return reason + start + length + 2;
    return reason;
}

static const double between_ms = 200;

void progress_print(struct progress *progress, const char *format, ...)
{
    double now_ms = (double)clock_monotonic_ns() / 1e6;
    if (!isatty(STDERR_FILENO) || (progress->shown && now_ms - progress->shown_ms < between_ms))
        return;
    va_list values;
    va_start(values, format);
    fputc('\r', stderr);
    vfprintf(stderr, format, values);
    fputs("\033[K", stderr);
    va_end(values);
    fflush(stderr);
    progress->shown = 1;
    progress->shown_ms = now_ms;
}

static void show_photos(void *context, size_t done, size_t all)
{
    progress_print(context, "%zu of %zu photos", done, all);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = 0;
}

int progress_find_faces(struct album *album, const struct album_options *options, struct err *err)
{
    struct progress progress = {0};
    struct album_options shown = *options;
    shown.progress = show_photos;
    shown.context = &progress;
    int result = album_find_faces(album, &shown, err);
    progress_end(&progress);
    return result;
}
