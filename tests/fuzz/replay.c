/* Runs a fuzz target over its corpus without libFuzzer: every file as it is, then deterministic
 * mutations of it (cut, flipped bytes, doubled parts), so that the normal test run exercises the
 * parser's refusals too. usage: replay CORPUS_FOLDER [MUTATIONS_PER_FILE] */
#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT_BYTES = 16 * 1024 * 1024, DEFAULT_MUTATIONS = 200 };

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* A copy in memory of exactly its size, so that a sanitizer sees the first byte read past it. */
static void run_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_mutation(const struct buf *seed, uint64_t *state)
{
    uint8_t *copy = malloc(seed->size);
    if (!copy)
        abort();
    memcpy(copy, seed->data, seed->size);
    size_t size = next_random(state) % 3 ? seed->size : next_random(state) % seed->size;
    for (uint64_t flips = next_random(state) % 8; size && flips > 0; flips--)
        copy[next_random(state) % size] = (uint8_t)next_random(state);
    if (size > 4 && next_random(state) % 4 == 0) {
        size_t from = next_random(state) % size, to = next_random(state) % size;
        size_t most = size - (from > to ? from : to);
        memmove(copy + to, copy + from, next_random(state) % (most + 1));
    }
    run_exact(copy, size);
    free(copy);
}

static int replay_file(const char *path, long mutations, struct err *err)
{
    struct buf seed;
    buf_init(&seed, MAX_INPUT_BYTES);
    if (file_read(path, &seed, err) < 0) {
        buf_finish(&seed);
        return -1;
    }
    run_exact((const uint8_t *)seed.data, seed.size);
    uint64_t state = 1;
    for (long i = 0; seed.size && i < mutations; i++)
        run_mutation(&seed, &state);
    buf_finish(&seed);
    return 0;
}

int main(int argc, char **argv)
{
    long mutations = argc > 2 ? strtol(argv[2], NULL, 10) : DEFAULT_MUTATIONS;
    DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER [MUTATIONS_PER_FILE]\n", argv[0]);
        return 2;
    }
    int files = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        char path[PATH_MAX];
        struct err err = {0};
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (replay_file(path, mutations, &err) < 0) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        files++;
    }
    closedir(folder);
    printf("%d files, %ld mutations each\n", files, mutations);
    return files == 0;
}
