#ifndef EDGE_SPOOL_ASIDE_H
#define EDGE_SPOOL_ASIDE_H

#include "edge/spool_file.h"

/* What will never be sent lies in a folder of its own, SPOOL_ASIDE, below the queue's, under the
 * name it had: moved back while the device is stopped, it is sent again. Inside the edge module
 * only. */

/* Moves the item's file there. The oldest there go while there are more bytes than the limit, but
 * not the new one. Where it cannot be moved it stays and comes again at the next start. */
void spool_aside_add(int folder, const struct spool_entry *entry, uint64_t limit_bytes);

#endif
