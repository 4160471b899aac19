/* What the disk itself allows a server that acknowledges nothing before it is durable: how often a
 * second it syncs a write of so many bytes, appended to a file that grows, and written over blocks
 * that were written before, as a log that is used again does.
 *
 * usage: bench_disk FOLDER [BYTES...]
 *
 * The rounds of all sizes and both ways alternate, so that a neighbour's load meets all of them.
 * Prints one line of JSON: {"BYTES": {"append": syncs a second, "overwrite": ...}, ..}.
 */
#include "base/clock.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SIZES = 16, ROUNDS = 8, ROUND_MS = 60, OVER_BYTES = 64 << 20, PATH_BYTES = 4096 };
enum { APPEND, OVERWRITE, WAYS };

struct disk {
    char path[WAYS][PATH_BYTES];
    int fd[WAYS];
    char *data;
    size_t at; /* in the file that is written over */
};

static int fill(struct disk *disk, size_t most)
{
    for (size_t done = 0; done < OVER_BYTES; done += most)
        if (write(disk->fd[OVERWRITE], disk->data, most) != (ssize_t)most)
            return -1;
    return fsync(disk->fd[OVERWRITE]);
}

static int open_files(struct disk *disk, const char *folder, size_t most)
{
    disk->data = malloc(most);
    if (!disk->data)
        return -1;
    for (size_t i = 0; i < most; i++)
        disk->data[i] = (char)(i * 2654435761u >> 13);
    for (int way = 0; way < WAYS; way++) {
        snprintf(disk->path[way], PATH_BYTES, "%.4000s/disk%d", folder, way);
        disk->fd[way] = open(disk->path[way], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (disk->fd[way] < 0)
            return -1;
    }
    return fill(disk, most);
}

static void close_files(struct disk *disk)
{
    for (int way = 0; way < WAYS; way++) {
        if (disk->fd[way] >= 0)
            close(disk->fd[way]);
        unlink(disk->path[way]);
    }
    free(disk->data);
}

static int write_once(struct disk *disk, int way, size_t size)
{
    if (way == APPEND)
        return write(disk->fd[way], disk->data, size) == (ssize_t)size ? 0 : -1;
    if (disk->at + size > OVER_BYTES)
        disk->at = 0;
    ssize_t done = pwrite(disk->fd[way], disk->data, size, (off_t)disk->at);
    disk->at += size;
    return done == (ssize_t)size ? 0 : -1;
}

/* Adds the round's syncs and seconds. */
static int run_round(struct disk *disk, int way, size_t size, double *syncs, double *seconds)
{
    uint64_t start = clock_monotonic_ns();
    if (way == APPEND && (ftruncate(disk->fd[way], 0) < 0 || lseek(disk->fd[way], 0, SEEK_SET) < 0))
        return -1;
    do {
        if (write_once(disk, way, size) < 0 || fdatasync(disk->fd[way]) < 0)
            return -1;
        *syncs += 1;
    } while (clock_ms_since(start) < ROUND_MS);
    *seconds += clock_ms_since(start) / 1000;
    return 0;
}

static int measure(struct disk *disk, const size_t *sizes, size_t count)
{
    double syncs[MAX_SIZES][WAYS] = {{0}}, seconds[MAX_SIZES][WAYS] = {{0}};
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < count; i++)
            for (int way = 0; way < WAYS; way++)
                if (run_round(disk, way, sizes[i], &syncs[i][way], &seconds[i][way]) < 0)
                    return -1;
    for (size_t i = 0; i < count; i++)
        printf("%s\"%zu\": {\"append\": %.0f, \"overwrite\": %.0f}", i ? ", " : "{", sizes[i],
               syncs[i][APPEND] / seconds[i][APPEND], syncs[i][OVERWRITE] / seconds[i][OVERWRITE]);
    printf("}\n");
    return 0;
}

int main(int argc, char **argv)
{
    size_t sizes[MAX_SIZES] = {4096, 35000, 8 * 35000, 16 * 35000, 1 << 20}, count = 5, most = 0;
    struct disk disk = {.fd = {-1, -1}};
    if (argc < 2 || argc - 2 > MAX_SIZES) {
        fprintf(stderr, "usage: bench_disk FOLDER [BYTES...]\n");
        return 2;
    }
    if (argc > 2)
        for (count = 0; argv[count + 2]; count++)
            sizes[count] = strtoul(argv[count + 2], NULL, 10);
    for (size_t i = 0; i < count; i++)
        most = sizes[i] > most ? sizes[i] : most;
    int result = most && most <= OVER_BYTES ? open_files(&disk, argv[1], most) : -1;
    if (result == 0)
        result = measure(&disk, sizes, count);
    if (result < 0)
        perror("bench_disk");
    close_files(&disk);
    return result < 0;
}
