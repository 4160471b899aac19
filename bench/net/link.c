#include "link.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    uint64_t arrives_ns;
    size_t size;
    unsigned char packet[LINK_MAX_PACKET_BYTES];
};

struct link {
    struct link_options options;
    struct link_counts counts;
    uint64_t free_ns; /* when the last packet's end is on the line */
    uint64_t random;
    size_t first, count;
    struct slot slots[LINK_SLOTS];
};

static int check(const struct link_options *options, struct err *err)
{
    if (!(options->delay_ms >= 0 && options->delay_ms <= 10000))
        return err_set(err, ERR_INVALID, "make line: a delay is 0 to 10,000 ms");
    if (!(options->rate_mbit >= 0 && options->rate_mbit <= 100000))
        return err_set(err, ERR_INVALID, "make line: a rate is 0 to 100,000 Mbit/s");
    if (!(options->loss_percent >= 0 && options->loss_percent <= 100))
        return err_set(err, ERR_INVALID, "make line: a loss is 0 to 100 percent");
    if (!(options->queue_ms >= 0 && options->queue_ms <= 10000))
        return err_set(err, ERR_INVALID, "make line: a queue is 0 to 10,000 ms");
    return 0;
}

struct link *link_create(const struct link_options *options, struct err *err)
{
    if (check(options, err) < 0)
        return NULL;
    struct link *link = calloc(1, sizeof *link);
    if (!link) {
        err_set(err, ERR_NO_MEMORY, "make line: out of memory");
        return NULL;
    }
    link->options = *options;
    link->random = options->seed;
    return link;
}

void link_destroy(struct link *link)
{
    free(link);
}

/* Evenly in 0 to 1: a linear congruential generator (Knuth's MMIX constants), its upper bits. */
static double draw(struct link *link)
{
    link->random = link->random * 6364136223846793005 + 1442695040888963407;
    return (double)(link->random >> 11) * 0x1p-53;
}

/* Nanoseconds that so many bytes take on the line. */
static uint64_t line_ns(const struct link *link, size_t bytes)
{
    double rate = link->options.rate_mbit;
    return rate > 0 ? (uint64_t)((double)bytes * 8000 / rate) : 0;
}

static int is_full(const struct link *link, uint64_t now_ns)
{
    if (link->count == LINK_SLOTS)
        return 1;
    uint64_t least_ns = line_ns(link, LINK_MIN_QUEUE_BYTES);
    uint64_t room_ns = (uint64_t)(link->options.queue_ms * 1e6);
    if (room_ns < least_ns)
        room_ns = least_ns;
    return link->options.rate_mbit > 0 && link->free_ns > now_ns &&
           link->free_ns - now_ns > room_ns;
}

void link_put(struct link *link, const void *packet, size_t size, uint64_t now_ns)
{
    if (size > LINK_MAX_PACKET_BYTES || is_full(link, now_ns)) {
        link->counts.overflowed++;
        return;
    }
    uint64_t starts_ns = link->free_ns > now_ns ? link->free_ns : now_ns;
    link->free_ns = starts_ns + line_ns(link, size);
    if (draw(link) * 100 < link->options.loss_percent) { /* on the way: it took its time */
        link->counts.lost++;
        return;
    }
    struct slot *slot = &link->slots[(link->first + link->count++) % LINK_SLOTS];
    slot->arrives_ns = link->free_ns + (uint64_t)(link->options.delay_ms * 1e6);
    slot->size = size;
    memcpy(slot->packet, packet, size);
}

const void *link_take(struct link *link, uint64_t now_ns, size_t *size)
{
    struct slot *slot = &link->slots[link->first];
    if (link->count == 0 || slot->arrives_ns > now_ns)
        return NULL;
    link->first = (link->first + 1) % LINK_SLOTS;
    link->count--;
    link->counts.packets++;
    link->counts.bytes += slot->size;
    *size = slot->size;
    return slot->packet;
}

uint64_t link_next_ns(const struct link *link)
{
    return link->count ? link->slots[link->first].arrives_ns : UINT64_MAX;
}

struct link_counts link_counts(const struct link *link)
{
    return link->counts;
}
