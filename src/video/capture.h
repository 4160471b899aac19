#ifndef VIDEO_CAPTURE_H
#define VIDEO_CAPTURE_H

#include "base/err.h"
#include "video/capture_out.h"

/* What ken-capture does: one camera's pictures to a pipe, until the camera fails or the other end
 * is closed. Driver, network and command live in this process alone, so a parent that hears nothing
 * for too long kills it and starts another. */
struct capture_request {
    const char *location; /* as in video/source.h, one of the cameras' */
    int width, height;    /* 0: 640x480 */
    double fps;           /* 0: 30 */
    const char *format;   /* "h264", "mjpeg", "yuyv", or NULL */
    const char *command;  /* of libcamera; NULL: rpicam-vid or libcamera-vid, whichever is there */
    double silence_s;     /* give up when nothing came for so long */
};

enum { CAPTURE_DEFAULT_WIDTH = 640, CAPTURE_DEFAULT_HEIGHT = 480, CAPTURE_DEFAULT_FPS = 30 };

/* A host that does not answer is given up after this. */
enum { CAPTURE_CONNECT_MS = 3000 };

/* Always ends with -1 and why. */
int capture_run(const struct capture_request *request, struct capture_out *out, struct err *err);

/* By kind; inside the video module only. */
int capture_v4l2(const struct capture_request *request, const char *path, struct capture_out *out,
                 struct err *err);
int capture_pipe(const struct capture_request *request, const char *command,
                 struct capture_out *out, struct err *err);
int capture_libcamera(const struct capture_request *request, const char *camera,
                      struct capture_out *out, struct err *err);
int capture_stream(const struct capture_request *request, struct capture_out *out, struct err *err);

#endif
