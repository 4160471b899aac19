#ifndef EDGE_STAGE_H
#define EDGE_STAGE_H

/* The stages of a frame's way, in its order; docs/edge.md defines each. All but `total` add up to
 * `total` where the answer tells enough to split the round trip. */
#define STAGE_LIST(X)                                                                              \
    X(wait)              /* captured, until a worker takes it */                                   \
    X(encode)            /* to RGB, to PNG or JPEG */                                              \
    X(upload)            /* PUT to the frame bucket */                                             \
    X(gateway_and_queue) /* GET sent, until the function starts on it */                           \
    X(fetch)             /* the function's own stages, as it reports them */                       \
    X(decode)                                                                                      \
    X(detect)                                                                                      \
    X(landmark)                                                                                    \
    X(embed)                                                                                       \
    X(match)                                                                                       \
    X(record)                                                                                      \
    X(function_other) /* the function's total less its stages */                                   \
    X(way_back)       /* function done, until the answer is here */                                \
    X(total)          /* capture to answer */

enum stage {
#define X(name) STAGE_##name,
    STAGE_LIST(X)
#undef X
        STAGE_COUNT
};

const char *stage_name(enum stage stage);

#endif
