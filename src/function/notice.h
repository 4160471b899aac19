#ifndef FUNCTION_NOTICE_H
#define FUNCTION_NOTICE_H

#include "aws/client.h"
#include "base/err.h"
#include "function/event.h"

#include <stddef.h>

/* What came into a bucket, as S3 tells a function, and the way of its answer: a FIFO topic, from
 * which a queue takes it to the device (docs/architectures.md).
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */

enum { NOTICE_MAX = 16, NOTICE_SEQUENCER_BYTES = 64 };

struct notice {
    char bucket[EVENT_BUCKET_BYTES], key[EVENT_KEY_BYTES];
    char sequencer[NOTICE_SEQUENCER_BYTES]; /* orders the events of a key; "": not told */
};

/* How many there are; 0: the event is no notification of S3's, -1: it is one and is damaged, or has
 * more than NOTICE_MAX records. Deletions are left out. */
int notices_read(struct notice notices[NOTICE_MAX], const char *text, size_t size,
                 struct err *err) MUST_USE;

/* Publish an answer. Its group is the key's folder ("camera-1/15.png": "camera-1"), so that a
 * device's answers keep their order and one device never waits for another. The same notice has the
 * same deduplication id: an event that Lambda repeats is answered once. `part` tells the answers
 * to one notice apart. */
int notice_answer(struct aws_client *client, const char *topic_arn, const struct notice *notice,
                  unsigned part, const char *answer, struct err *err) MUST_USE;

/* The group of a key: only characters that SNS takes. */
enum { NOTICE_GROUP_BYTES = 129 };
void notice_group(const char *key, char group[NOTICE_GROUP_BYTES]);

#endif
