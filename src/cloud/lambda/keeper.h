#ifndef CLOUD_LAMBDA_KEEPER_H
#define CLOUD_LAMBDA_KEEPER_H

#include "cloud/lambda/cgroups.h"
#include "cloud/lambda/filter.h"
#include "cloud/lambda/jail.h"

#include <stdint.h>

/* The first process of an instance. It is made ahead of time, shuts itself in, and waits for its
 * order: to become a function. So the cost of namespaces and control groups (the kernel may take 10
 * ms to move a process into one) is paid before a request comes.
 *
 * In a jail it stays as the instance's process 1: it starts the function, reaps orphans, and passes
 * on how the function ended; with it ends everything of the instance. Without a jail it becomes the
 * function itself. */
struct keeper_post {
    const struct jail *jail;     /* NULL: none */
    const struct filter *filter; /* NULL: none */
    pid_t parent;
    char *arguments; /* of the program that it is a copy of: /proc shows them to the function */
    size_t argument_bytes;
    int output, orders, status;
    int groups[CGROUPS_KINDS]; /* lists of members, or -1 */
};

/* Comes over `status` when the jail stands; later, in a jail, the wait status, an int. */
struct keeper_report {
    int cause; /* errno; 0: ready */
    char step[60];
};

/* Comes over `orders`, followed by texts, each ended by a 0: */
enum keeper_text {
    KEEPER_CODE,      /* the machine's folder of the code */
    KEEPER_TEMPORARY, /* mount options of /tmp */
    KEEPER_FOLDER,    /* its working folder */
    KEEPER_ARGUMENTS  /* the program and its arguments, `arguments` of them; then "NAME=value" */
};
enum { KEEPER_MAX_ARGUMENTS = 1500, KEEPER_MAX_PROGRAM_BYTES = 4096 };
enum { KEEPER_MAX_TEXT_BYTES = 56 * 1024, KEEPER_MAX_TEXTS = 2048 }; /* less than a pipe holds */
struct keeper_order {
    uint32_t text_bytes, texts, arguments;
    uint32_t is_image;       /* the code is a whole file system */
    uint64_t max_data_bytes; /* 0: not limited here */
    uint64_t max_file_bytes;
    uint64_t max_processes; /* of its user; 0: not limited here */
};

__attribute__((noreturn)) void keeper_run(const struct keeper_post *post);

#endif
