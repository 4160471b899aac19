#ifndef FUNCTION_SERVICES_H
#define FUNCTION_SERVICES_H

#include "base/err.h"
#include "function/handler.h"
#include "function/notice.h"

#include <stdint.h>

/* The real parts of the handler: networks and gallery, opened once, and S3 and DynamoDB over
 * connections that stay open.
 *
 *   KEN_MODELS       folder of the networks; default $LAMBDA_TASK_ROOT/models
 *   KEN_GALLERY      gallery file; default $LAMBDA_TASK_ROOT/gallery.ken
 *   KEN_GALLERY_KEY  64 hex digits
 *   KEN_DETECT       fast (default), thorough or auto, as of recognizer.h
 *   KEN_TABLE        table of the records; default ken-people
 *   KEN_TOPIC        ARN of the FIFO topic for answers to S3's notifications; default none
 *   AWS_...          as in aws/config.h */
struct services;

struct services *services_open(struct err *err);
void services_close(struct services *services); /* NULL is fine */
/* Until when the event must be answered; what S3 and DynamoDB have not done a little before that
 * counts as failed, so that there is time left to say so. 0: no limit. */
void services_set_deadline(struct services *services, int64_t deadline_unix_ms);
struct handler_parts services_parts(struct services *services);
/* Store a frame that came in a request, after its answer has left. */
int services_archive(struct services *services, const struct event *frame,
                     struct err *err) MUST_USE;

/* Is there a topic? Without one, notifications of S3 are not answered. */
int services_have_topic(const struct services *services);
/* notice_answer() into the topic; `self` is the services. */
int services_answer(void *self, const struct notice *notice, unsigned part, const char *answer,
                    struct err *err) MUST_USE;

#endif
