#ifndef CLOUD_LAMBDA_SANDBOX_H
#define CLOUD_LAMBDA_SANDBOX_H

#include "base/err.h"
#include "cloud/lambda/isolation.h"
#include "cloud/lambda/keeper.h"

/* What all instances share of their isolation, and the one that is made ahead of the next request.
 * One thread uses it. */
enum { SANDBOX_SLOTS = 512 };

struct kept { /* a keeper that waits, or works */
    pid_t pid;
    int pidfd, output_fd, orders_fd, status_fd;
    int peak_fd;   /* of cgroups_open_peak() */
    unsigned slot; /* numbers its user and control groups */
};

struct sandbox {
    int is_full;
    struct jail jail;
    struct cgroups cgroups;
    struct filter *filter;
    uid_t first_uid;
    unsigned char slots[SANDBOX_SLOTS]; /* 1: in use */
    struct kept spare;                  /* pid 0: none */
    char description[256];              /* one line for people */
    char base[PATH_MAX], hide[PATH_MAX];
    char *arguments; /* of this program, where the kernel shows them; keepers forget them */
    size_t argument_bytes;
};

struct sandbox_options {
    const char *folder; /* an existing, empty one */
    const char *hide;   /* the cloud's data */
};

struct sandbox *sandbox_create(const struct sandbox_options *options, struct err *err);
void sandbox_destroy(struct sandbox *sandbox); /* NULL is fine */
/* Before anything else: tries what this machine permits, which takes milliseconds. Fails only for
 * ISOLATION_FULL, where that is not to be had. */
int sandbox_choose(struct sandbox *sandbox, enum isolation wanted, struct err *err) MUST_USE;

/* Makes the spare, when there is none. */
void sandbox_prepare(struct sandbox *sandbox);
/* The spare, or a new one. */
int sandbox_take(struct sandbox *sandbox, struct kept *kept, struct err *err) MUST_USE;
/* Ends it with all that it started, waits, closes; returns how its function ended. */
int sandbox_end(struct sandbox *sandbox, struct kept *kept);

/* The user that is this instance's alone; 0: it is not alone. */
uid_t sandbox_uid(const struct sandbox *sandbox, unsigned slot);

#endif
