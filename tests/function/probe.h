#ifndef TESTS_FUNCTION_PROBE_H
#define TESTS_FUNCTION_PROBE_H

#include <stddef.h>

/* What a hostile function tries; the answer says how far it came. Returns 0 when `what` is none of
 * these:
 *
 *   "read PATH"    "write PATH"    "list FOLDER"     "status FIELD" (of /proc/self/status)
 *   "show PATH"    the first bytes of a file, what is no text as blanks
 *   "fill"         writes to /tmp until it is refused: megabytes and cause
 *   "fork"         makes processes until it is refused, at most 3,000: their number and cause
 *   "eat N"        N megabytes of memory
 *   "try NAME"     a system call, see probe.c
 *   "port N"       asks another instance's Runtime API for its work */
int probe(const char *what, char *answer, size_t size);

#endif
