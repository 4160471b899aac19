#include "video/capture.h"
#include "video/capture_program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The program `ken-capture`: started by the others for a camera, on a pipe; nothing to call by
 * hand. What it is asked for is in its environment, as a location may hold a password. */

static int number(const char *name, double most, double *value)
{
    const char *text = getenv(name);
    char *end;
    if (!text)
        return 0;
    *value = strtod(text, &end);
    return *text && !*end && *value >= 0 && *value <= most ? 0 : -1;
}

int main(void)
{
    double width = 0, height = 0, fps = 0, silence_s = 5;
    struct capture_out out = {.fd = STDOUT_FILENO};
    struct capture_request request = {
        .location = getenv(CAPTURE_ENV_LOCATION),
        .format = getenv(CAPTURE_ENV_FORMAT),
        .command = getenv(CAPTURE_ENV_COMMAND),
    };
    if (!request.location || number(CAPTURE_ENV_WIDTH, CAPTURE_MAX_SIDE, &width) < 0 ||
        number(CAPTURE_ENV_HEIGHT, CAPTURE_MAX_SIDE, &height) < 0 ||
        number(CAPTURE_ENV_FPS, 1000, &fps) < 0 ||
        number(CAPTURE_ENV_SILENCE, 3600, &silence_s) < 0) {
        fprintf(stderr, "ken-capture: started by ken edge for its camera, not by hand\n");
        return 2;
    }
    request.width = (int)width;
    request.height = (int)height;
    request.fps = out.max_fps = fps;
    request.silence_s = silence_s;
    signal(SIGPIPE, SIG_IGN);
    struct err err = {0};
    capture_run(&request, &out, &err);
    capture_out_error(&out, err.message);
    return 1;
}
