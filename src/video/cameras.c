#include "video/cameras.h"

#include "video/v4l2.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_video(const struct dirent *entry)
{
    const char *number = entry->d_name + 5;
    return strncmp(entry->d_name, "video", 5) == 0 && *number &&
           strspn(number, "0123456789") == strlen(number);
}

/* A driver may put anything into its texts. */
static json_t *text_of(const void *bytes, size_t room)
{
    char text[64];
    size_t length = 0;
    for (const char *c = bytes; length < room && length < sizeof text - 1 && *c; c++)
        text[length++] = *c >= ' ' && *c < 127 ? *c : '?';
    text[length] = '\0';
    return json_string(text);
}

static json_t *size_json(const struct v4l2_camera *camera, const struct v4l2_frmsizeenum *size)
{
    int discrete = size->type == V4L2_FRMSIZE_TYPE_DISCRETE;
    json_t *rates = json_array();
    double fps;
    for (unsigned n = 0; v4l2_nth_rate(camera, size, n, &fps); n++)
        json_array_append_new(rates, json_real(fps));
    json_t *one = json_pack(
        "{s:i, s:i, s:o}", "width",
        (int)(discrete ? size->discrete.width : size->stepwise.max_width), "height",
        (int)(discrete ? size->discrete.height : size->stepwise.max_height), "fps", rates);
    if (!discrete)
        json_object_set_new(one, "stepwise", json_true());
    return one;
}

static json_t *formats_json(const struct v4l2_camera *camera)
{
    json_t *formats = json_array();
    struct v4l2_fmtdesc format;
    struct v4l2_frmsizeenum size;
    for (unsigned f = 0; v4l2_nth_format(camera, f, &format); f++) {
        char name[5];
        json_t *sizes = json_array();
        for (unsigned s = 0; v4l2_nth_size(camera, format.pixelformat, s, &size); s++)
            json_array_append_new(sizes, size_json(camera, &size));
        v4l2_format_name(format.pixelformat, name);
        json_array_append_new(
            formats, json_pack("{s:s, s:o, s:b, s:o}", "format", name, "description",
                               text_of(format.description, sizeof format.description), "usable",
                               v4l2_codec_of(format.pixelformat) != 0, "sizes", sizes));
    }
    return formats;
}

static void look_at(const char *path, json_t *cameras, json_t *failed)
{
    struct v4l2_camera camera;
    struct err err = {0};
    if (v4l2_open(&camera, path, &err) < 0) {
        if (err.code != ERR_UNSUPPORTED)
            json_array_append_new(failed,
                                  json_pack("{s:s, s:s}", "path", path, "reason", err.message));
        return;
    }
    const struct v4l2_capability *told = &camera.capability;
    json_array_append_new(cameras, json_pack("{s:s, s:o, s:o, s:o, s:o}", "path", path, "name",
                                             text_of(told->card, sizeof told->card), "driver",
                                             text_of(told->driver, sizeof told->driver), "bus",
                                             text_of(told->bus_info, sizeof told->bus_info),
                                             "formats", formats_json(&camera)));
    v4l2_close(&camera);
}

static void print_format(const json_t *format, struct buf *out)
{
    size_t s, r;
    json_t *size, *rate;
    buf_printf(out, "  %s  %s%s\n", json_string_value(json_object_get(format, "format")),
               json_string_value(json_object_get(format, "description")),
               json_is_true(json_object_get(format, "usable")) ? "" : "  (ken reads none of it)");
    json_array_foreach(json_object_get(format, "sizes"), s, size)
    {
        buf_printf(out, "        %s%lldx%lld at", json_object_get(size, "stepwise") ? "up to " : "",
                   json_integer_value(json_object_get(size, "width")),
                   json_integer_value(json_object_get(size, "height")));
        json_array_foreach(json_object_get(size, "fps"), r, rate)
            buf_printf(out, " %g", json_real_value(rate));
        buf_puts(out, "\n");
    }
}

static void print_text(const json_t *cameras, const json_t *failed, struct buf *out)
{
    size_t c, f;
    json_t *camera, *format;
    json_array_foreach(cameras, c, camera)
    {
        buf_printf(out, "%s  %s (%s, %s)\n", json_string_value(json_object_get(camera, "path")),
                   json_string_value(json_object_get(camera, "name")),
                   json_string_value(json_object_get(camera, "driver")),
                   json_string_value(json_object_get(camera, "bus")));
        json_array_foreach(json_object_get(camera, "formats"), f, format) print_format(format, out);
    }
    json_array_foreach(failed, c, camera)
        buf_printf(out, "%s\n", json_string_value(json_object_get(camera, "reason")));
    if (json_array_size(cameras) == 0)
        buf_puts(out, "no camera of the kernel's; those of libcamera: rpicam-vid "
                      "--list-cameras\n");
}

static int add_text(const char *bytes, size_t size, void *out)
{
    return buf_append(out, bytes, size);
}

/* Takes both lists. */
static int tell(json_t *cameras, json_t *failed, int json, struct buf *out)
{
    int count = (int)json_array_size(cameras);
    json_t *all = json_pack("{s:o, s:o}", "cameras", cameras, "failed", failed);
    if (!all)
        return -1;
    if (json)
        json_dump_callback(all, add_text, out, JSON_COMPACT);
    else
        print_text(cameras, failed, out);
    json_decref(all);
    return out->failed ? -1 : count;
}

int cameras_list(const char *folder, int json, struct buf *out, struct err *err)
{
    struct dirent **entries = NULL;
    json_t *cameras = json_array(), *failed = json_array();
    int found = scandir(folder, &entries, is_video, versionsort);
    for (int i = 0; i < found; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        look_at(path, cameras, failed);
        free(entries[i]);
    }
    free(entries);
    int count = tell(cameras, failed, json, out);
    return count < 0 ? err_set(err, ERR_NO_MEMORY, "list cameras: out of memory") : count;
}
