#include "video/capture.h"

#include "base/clock.h"
#include "base/log.h"
#include "video/v4l2.h"

#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 250 };

/* Rows without what the driver puts behind them. NULL where the picture is too short. */
static const uint8_t *packed_rows(const struct v4l2_camera *camera,
                                  const struct v4l2_picture *picture, uint8_t *rows)
{
    size_t row = (size_t)camera->width * 2, height = (size_t)camera->height;
    if (picture->size < camera->stride * (height - 1) + row)
        return NULL;
    if (camera->stride == row)
        return picture->data;
    for (size_t y = 0; y < height; y++)
        memcpy(rows + y * row, picture->data + y * camera->stride, row);
    return rows;
}

static int hand_over(const struct v4l2_camera *camera, const struct v4l2_picture *picture,
                     uint8_t *rows, struct capture_out *out, struct err *err)
{
    struct capture_picture given = {
        .codec = camera->codec,
        .data = picture->data,
        .size = picture->size,
        .captured_ns = picture->captured_ns,
        .fps = camera->fps,
        .width = camera->width,
        .height = camera->height,
    };
    if (camera->codec == CAPTURE_YUYV) {
        given.data = packed_rows(camera, picture, rows);
        given.size = (size_t)camera->width * 2 * (size_t)camera->height;
        if (!given.data)
            return 0;
    }
    return capture_out_write(out, &given, err);
}

static int stream(struct v4l2_camera *camera, double silence_s, uint8_t *rows,
                  struct capture_out *out, struct err *err)
{
    uint64_t last_ns = clock_monotonic_ns();
    for (;;) {
        struct v4l2_picture picture;
        int result = v4l2_take(camera, POLL_MS, &picture, err);
        if (result < 0)
            return -1;
        if (result > 0) {
            last_ns = clock_monotonic_ns();
            if (hand_over(camera, &picture, rows, out, err) < 0 ||
                v4l2_give_back(camera, picture.index, err) < 0)
                return -1;
        } else if (clock_ms_since(last_ns) > silence_s * 1000) {
            return err_set(err, ERR_TIMEOUT, "read camera %s: no picture for %g s", camera->path,
                           silence_s);
        } else if (capture_out_is_closed(out)) {
            return err_set(err, ERR_UNAVAILABLE, "nobody reads");
        }
    }
}

int capture_v4l2(const struct capture_request *request, const char *path, struct capture_out *out,
                 struct err *err)
{
    struct v4l2_camera camera;
    struct v4l2_wish wish = {
        .width = request->width ? request->width : CAPTURE_DEFAULT_WIDTH,
        .height = request->height ? request->height : CAPTURE_DEFAULT_HEIGHT,
        .fps = request->fps > 0 ? request->fps : CAPTURE_DEFAULT_FPS,
        .format = request->format,
    };
    if (v4l2_open(&camera, path, err) < 0)
        return -1;
    capture_out_alive(out, CAPTURE_OPENED);
    uint8_t *rows = NULL;
    int result = v4l2_start(&camera, &wish, err);
    if (result == 0) {
        capture_out_alive(out, CAPTURE_STARTED);
        rows = malloc((size_t)camera.width * 2 * (size_t)camera.height);
        result = rows ? stream(&camera, request->silence_s, rows, out, err)
                      : err_set(err, ERR_NO_MEMORY, "read camera %s: out of memory", path);
    }
    free(rows);
    v4l2_close(&camera);
    return result;
}
