#include "cloud/lambda/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room above the function's memory size where no control group counts: RLIMIT_DATA counts what is
 * reserved (thread stacks, heaps of language runtimes), not what is used. */
enum { PROCESS_RESERVED_MB = 1024, PROCESS_MAX_DEPTH = 16 };

static const uint64_t mb = 1024 * 1024;

struct texts {
    struct keeper_order order;
    char data[KEEPER_MAX_TEXT_BYTES];
};

static int add(struct texts *texts, const char *text, struct err *err)
{
    struct keeper_order *order = &texts->order;
    size_t size = strlen(text) + 1;
    if (size > sizeof texts->data - order->text_bytes || order->texts == KEEPER_MAX_TEXTS)
        return err_set(err, ERR_TOO_BIG, "start function: its environment is too large");
    memcpy(texts->data + order->text_bytes, text, size);
    order->text_bytes += (uint32_t)size;
    order->texts++;
    return 0;
}

static void set_limits(struct texts *texts, const struct sandbox *sandbox,
                       const struct process_options *options)
{
    texts->order = (struct keeper_order){
        .max_data_bytes = sandbox->cgroups.version[CGROUPS_MEMORY]
                              ? 0
                              : ((uint64_t)options->memory_mb + PROCESS_RESERVED_MB) * mb,
        .max_file_bytes = (uint64_t)options->storage_mb * mb,
        .max_processes = sandbox->is_full ? CGROUPS_MAX_PROCESSES : 0};
}

static int add_all(struct texts *texts, const char *const *list, struct err *err)
{
    for (; *list; list++)
        if (add(texts, *list, err) < 0)
            return -1;
    return 0;
}

static int add_arguments(struct texts *texts, const char *const *arguments, struct err *err)
{
    uint32_t before = texts->order.texts;
    if (add_all(texts, arguments, err) < 0)
        return -1;
    texts->order.arguments = texts->order.texts - before;
    return texts->order.arguments == 0 || texts->order.arguments > KEEPER_MAX_ARGUMENTS
               ? err_set(err, ERR_INVALID, "start function: no program, or more than %d arguments",
                         KEEPER_MAX_ARGUMENTS)
               : 0;
}

static int fill(struct texts *texts, const struct sandbox *sandbox,
                const struct process_options *options, const char *program, struct err *err)
{
    char mount_options[96];
    const char *own[] = {sandbox->is_full ? JAIL_CODE "/bootstrap" : program, NULL};
    const char *folder = sandbox->is_full ? JAIL_CODE : options->folder;
    snprintf(mount_options, sizeof mount_options, "size=%ldm,nr_inodes=%ldk,mode=1777",
             options->storage_mb, options->storage_mb);
    const char *first[] = {options->folder, mount_options,
                           options->is_image ? options->working_folder : folder, NULL};
    set_limits(texts, sandbox, options);
    texts->order.is_image = (uint32_t)options->is_image;
    if (add_all(texts, first, err) < 0 ||
        add_arguments(texts, options->arguments ? options->arguments : own, err) < 0)
        return -1;
    return add_all(texts, (const char *const *)options->environment, err);
}

/* One write, smaller than the pipe: the keeper need not be reading yet. */
static int give(const struct kept *kept, const struct texts *texts, struct err *err)
{
    size_t size = offsetof(struct texts, data) + texts->order.text_bytes;
    return write(kept->orders_fd, texts, size) == (ssize_t)size
               ? 0
               : err_set_errno(err, "start function: its process is gone");
}

static int start_kept(struct sandbox *sandbox, const struct process_options *options,
                      const struct texts *texts, struct process *process, struct err *err)
{
    const struct cgroups_size size = {.memory_mb = options->memory_mb,
                                      .storage_mb = options->storage_mb};
    process->sandbox = sandbox;
    for (int attempt = 0; attempt < 2; attempt++) { /* the spare may have been killed meanwhile */
        if (sandbox_take(sandbox, &process->kept, err) < 0)
            return -1;
        if (cgroups_set(&sandbox->cgroups, process->kept.slot, &size, err) == 0 &&
            give(&process->kept, texts, err) == 0)
            return 0;
        process_reap(process);
    }
    return -1;
}

int process_start(struct sandbox *sandbox, const struct process_options *options,
                  struct process *process, struct err *err)
{
    char program[PATH_MAX];
    int size = snprintf(program, sizeof program, "%s/bootstrap", options->folder);
    if (size < 0 || (size_t)size >= sizeof program)
        return err_set(err, ERR_TOO_BIG, "start function: path too long");
    if (options->is_image && !sandbox->is_full)
        return err_set(
            err, ERR_UNSUPPORTED,
            "start function: an image needs full isolation, which is not to be had here");
    if (!options->arguments && access(program, X_OK) < 0)
        return err_set_errno(err, "start function: %s", program);
    struct texts *texts = malloc(sizeof *texts);
    if (!texts)
        return err_set(err, ERR_NO_MEMORY, "start function: no memory");
    int result = fill(texts, sandbox, options, program, err);
    if (result == 0)
        result = start_kept(sandbox, options, texts, process, err);
    explicit_bzero(texts, sizeof *texts); /* keys */
    free(texts);
    return result;
}

void process_kill(const struct process *process)
{
    kill(-process->kept.pid, SIGKILL);
    kill(process->kept.pid, SIGKILL); /* it may not lead its group yet */
}

int process_reap(struct process *process)
{
    return sandbox_end(process->sandbox, &process->kept);
}

static size_t resident_bytes(pid_t pid)
{
    char path[64], text[128] = "";
    size_t total, resident;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0 || sscanf(text, "%zu %zu", &total, &resident) != 2)
        return 0;
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t tree_bytes(pid_t pid, int depth)
{
    char path[64];
    int child;
    size_t bytes = resident_bytes(pid);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *children = depth < PROCESS_MAX_DEPTH ? fopen(path, "re") : NULL;
    while (children && fscanf(children, "%d", &child) == 1)
        bytes += tree_bytes(child, depth + 1);
    if (children)
        fclose(children);
    return bytes;
}

size_t process_memory_bytes(const struct process *process)
{
    size_t bytes = cgroups_peak_bytes(process->kept.peak_fd);
    return bytes ? bytes : tree_bytes(process->kept.pid, 0);
}

/* The peak is one number and cheap to ask for, files and all: only past it the parts count. */
int process_is_over(const struct process *process, size_t most_bytes)
{
    size_t peak = cgroups_peak_bytes(process->kept.peak_fd);
    return (!peak || peak > most_bytes) &&
           cgroups_resident_bytes(&process->sandbox->cgroups, process->kept.slot) > most_bytes;
}
