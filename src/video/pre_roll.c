#include "video/pre_roll.h"

#include "video/recorder.h"
#include "video/recorder_file.h"

#include <libavcodec/avcodec.h>

#include <stdlib.h>

enum { CAPACITY = 1 << 14 };

struct pre_roll {
    int64_t ticks;
    AVPacket *packets[CAPACITY]; /* a ring */
    size_t first, count, bytes;
};

struct pre_roll *pre_roll_create(double seconds, struct err *err)
{
    struct pre_roll *roll = calloc(1, sizeof *roll);
    if (!roll)
        err_set(err, ERR_NO_MEMORY, "record video: out of memory");
    else
        roll->ticks = (int64_t)(seconds * RECORDER_TICKS);
    return roll;
}

void pre_roll_destroy(struct pre_roll *roll)
{
    if (roll)
        pre_roll_clear(roll);
    free(roll);
}

static AVPacket *nth(const struct pre_roll *roll, size_t n)
{
    return roll->packets[(roll->first + n) % CAPACITY];
}

static void drop_first(struct pre_roll *roll)
{
    AVPacket *packet = nth(roll, 0);
    roll->bytes -= (size_t)packet->size;
    av_packet_free(&packet);
    roll->first = (roll->first + 1) % CAPACITY;
    roll->count--;
}

/* Where the second group of pictures begins; 0 where there is only one. */
static size_t second_group(const struct pre_roll *roll)
{
    for (size_t i = 1; i < roll->count; i++)
        if (nth(roll, i)->flags & AV_PKT_FLAG_KEY)
            return i;
    return 0;
}

static int is_past_limits(const struct pre_roll *roll)
{
    return roll->count >= CAPACITY - 1 || roll->bytes > RECORDER_MAX_PRE_ROLL_BYTES;
}

static int trim(struct pre_roll *roll)
{
    int dropped = 0;
    for (size_t next; (next = second_group(roll)) > 0;) {
        int64_t rest = nth(roll, roll->count - 1)->pts - nth(roll, next)->pts;
        if (rest < roll->ticks && !is_past_limits(roll))
            break;
        for (size_t i = 0; i < next; i++, dropped++)
            drop_first(roll);
    }
    if (is_past_limits(roll)) /* a single group: it cannot be told in part */
        dropped += (int)pre_roll_clear(roll);
    return dropped;
}

int pre_roll_push(struct pre_roll *roll, struct AVPacket *packet, struct err *err)
{
    if (roll->count == 0 && !(packet->flags & AV_PKT_FLAG_KEY)) {
        av_packet_unref(packet);
        return 1;
    }
    AVPacket *kept = av_packet_alloc();
    if (!kept)
        return err_set(err, ERR_NO_MEMORY, "record video: out of memory");
    av_packet_move_ref(kept, packet);
    roll->packets[(roll->first + roll->count) % CAPACITY] = kept;
    roll->count++;
    roll->bytes += (size_t)kept->size;
    return trim(roll);
}

int pre_roll_pop(struct pre_roll *roll, struct AVPacket *packet)
{
    if (roll->count == 0)
        return 0;
    av_packet_move_ref(packet, nth(roll, 0));
    roll->bytes -= (size_t)packet->size;
    AVPacket *empty = nth(roll, 0);
    av_packet_free(&empty);
    roll->first = (roll->first + 1) % CAPACITY;
    roll->count--;
    return 1;
}

int64_t pre_roll_span(const struct pre_roll *roll)
{
    return roll->count ? nth(roll, roll->count - 1)->pts - nth(roll, 0)->pts : 0;
}

size_t pre_roll_clear(struct pre_roll *roll)
{
    size_t count = roll->count;
    while (roll->count)
        drop_first(roll);
    roll->bytes = 0;
    return count;
}
