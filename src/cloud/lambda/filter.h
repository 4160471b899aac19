#ifndef CLOUD_LAMBDA_FILTER_H
#define CLOUD_LAMBDA_FILTER_H

#include "base/err.h"

/* Which system calls a function may make: all but those that reach for the kernel, for other
 * processes or for new namespaces. The list is in filter.c. */
struct filter;

struct filter *filter_create(struct err *err);
void filter_destroy(struct filter *filter); /* NULL is fine */

/* From now on the calling process and what it starts are filtered; needs no_new_privs. System calls
 * only. Returns -1 with errno. */
int filter_enter(const struct filter *filter) MUST_USE;

#endif
