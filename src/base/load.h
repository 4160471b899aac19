#ifndef BASE_LOAD_H
#define BASE_LOAD_H

/* How busy the machine's processors are at this moment. */

/* A descriptor for load_has_room(), which the caller closes; -1 where the system does not tell. */
int load_open(void);

/* Is there a processor that nobody uses? The kernel tells how many threads run or want to, the
 * caller among them. 1 for -1. */
int load_has_room(int fd);

/* Processors of the machine, at least 1. */
int load_processors(void);

#endif
