#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MARGIN = 512, FRESH = 0xff };

void guard_init(struct guard *g, size_t most_bytes)
{
    g->page = (size_t)sysconf(_SC_PAGESIZE);
    g->size = (most_bytes + MARGIN + g->page - 1) / g->page * g->page;
    char *all = mmap(NULL, g->size + 2 * g->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + g->page, g->size, PROT_READ | PROT_WRITE) != 0) {
        perror("guard pages");
        exit(1);
    }
    g->pages = all + g->page;
}

void guard_finish(struct guard *g)
{
    munmap(g->pages - g->page, g->size + 2 * g->page);
}

void *guard_place(struct guard *g, size_t bytes, enum guard_side side)
{
    if (bytes > g->size - MARGIN)
        abort();
    g->bytes = bytes;
    g->buffer = side == GUARD_BEFORE ? g->pages : g->pages + g->size - bytes;
    char *begin = side == GUARD_BEFORE ? g->buffer : g->buffer - MARGIN;
    memset(begin, FRESH, bytes + MARGIN);
    return g->buffer;
}

int guard_intact(const struct guard *g)
{
    const char *margin = g->buffer == g->pages ? g->buffer + g->bytes : g->buffer - MARGIN;
    for (size_t i = 0; i < MARGIN; i++)
        if ((unsigned char)margin[i] != FRESH)
            return 0;
    return 1;
}
