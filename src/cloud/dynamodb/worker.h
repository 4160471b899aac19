#ifndef CLOUD_DYNAMODB_WORKER_H
#define CLOUD_DYNAMODB_WORKER_H

#include "cloud/dynamodb/request.h"

/* The thread behind the tables: it fills indexes that were made for tables with items, a few
 * hundred items a step so that writes go on in between, and deletes items whose time to live is
 * over, about a second after it is. What a stop or a crash interrupts begins anew at the start. */
struct worker;

struct worker *worker_start(struct dynamodb *service, struct err *err);
void worker_stop(struct worker *worker); /* NULL is fine */
void worker_wake(struct worker *worker); /* there is something to fill */

#endif
