#ifndef EDGE_ARCHIVE_H
#define EDGE_ARCHIVE_H

#include "base/err.h"
#include "edge/deployment.h"

#include <stdint.h>

/* Fetch a recording from the video bucket into `folder` (a file of the same name) and play it
 * through. Returns its number of frames, or -1. */
int64_t archive_fetch(const struct deployment *deployment, const char *key, const char *folder,
                      struct err *err);

#endif
