#ifndef VIDEO_CAMERAS_H
#define VIDEO_CAMERAS_H

#include "base/buf.h"
#include "base/err.h"

/* The cameras of this machine (`ken edge --list-cameras`): the video devices that capture, with
 * what they offer. Appends text for people or, with `json`, one object:
 *
 *     {"cameras": [{"path": "/dev/video0", "name": "..", "driver": "..", "bus": "..",
 *        "formats": [{"format": "MJPG", "description": "..", "usable": true,
 *           "sizes": [{"width": 640, "height": 480, "fps": [30.0, 15.0]}]}]}],
 *      "failed": [{"path": "/dev/video2", "reason": ".."}]}
 *
 * A range of sizes is told by its largest, with "stepwise": true. Devices that only decode, encode
 * or describe are neither. `folder` is /dev, or a test's. Returns how many cameras there are, or
 * -1 for want of memory. */
#define CAMERAS_FOLDER "/dev"
int cameras_list(const char *folder, int json, struct buf *out, struct err *err);

#endif
