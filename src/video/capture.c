#include "video/capture.h"

#include <string.h>

int capture_run(const struct capture_request *request, struct capture_out *out, struct err *err)
{
    const char *location = request->location;
    if (capture_is_device(location))
        return capture_v4l2(request, location + (*location == 'v' ? 5 : 0), out, err);
    if (strncmp(location, "libcamera:", 10) == 0)
        return capture_libcamera(request, location + 10, out, err);
    if (strncmp(location, "pipe:", 5) == 0)
        return capture_pipe(request, location + 5, out, err);
    return capture_stream(request, out, err);
}
