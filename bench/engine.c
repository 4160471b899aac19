/* The engine's side of bench/engine.mjs. KEN_THREADS: threads, default 1; KEN_SIMD caps the level.
 *   run MODEL.ken RUNS               milliseconds of each run, one a line, after a few to warm up
 *   layers MODEL.ken RUNS            each node's microseconds within those runs: least, middle
 *   cold MODEL.ken TIMES [PROGRAM]   milliseconds from starting a process (this, or a peer) to its
 *                                    first result
 *   peak [LEVEL]                     multiply-add GFLOP/s that one core reaches; 0 without LEVEL */
#include "base/clock.h"
#include "nn/model.h"
#include "peak.h"
#include "simd/kernels.h"

#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* At that level (NULL: the highest that is known). */
static int print_peak(const char *name)
{
    double peak = 0;
    for (int i = 0; i <= (int)simd_best(); i++) {
        enum simd_level level = (enum simd_level)i;
        double reached = name && strcmp(name, simd_level_name(level)) != 0 ? 0 : peak_gflops(level);
        peak = reached > 0 ? reached : peak;
    }
    return printf("%.1f\n", peak) < 0 ? -1 : 0;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

struct engine {
    struct pool *pool;
    struct model *model;
    struct session *session;
};

static int open_engine(struct engine *engine, const char *path, struct err *err)
{
    const char *threads = getenv("KEN_THREADS");
    size_t count = threads ? strtoul(threads, NULL, 10) : 1;
    engine->pool = count > 1 ? pool_create(count, err) : NULL;
    engine->model = model_open(path, err);
    engine->session = engine->model ? session_create(engine->model, engine->pool, err) : NULL;
    return engine->session ? 0 : -1;
}

static void close_engine(struct engine *engine)
{
    session_destroy(engine->session);
    model_close(engine->model);
    pool_destroy(engine->pool);
}

/* The input must be written before each run; the same noise each time. */
static void fill_input(struct engine *engine)
{
    uint32_t state = 1;
    for (size_t i = 0; i < model_inputs(engine->model); i++) {
        float *in = session_input(engine->session, i);
        for (size_t j = 0; j < model_input(engine->model, i)->floats; j++) {
            state = state * 1664525 + 1013904223;
            in[j] = (float)(int32_t)state / 2147483648.0f;
        }
    }
}

static int bench_runs(const char *path, long runs, struct err *err)
{
    enum { WARM_UP = 5 };
    struct engine engine = {0};
    if (open_engine(&engine, path, err) < 0)
        return -1;
    for (long i = 0; i < runs + WARM_UP; i++) {
        fill_input(&engine);
        uint64_t start = clock_monotonic_ns();
        session_run(engine.session);
        if (i >= WARM_UP)
            printf("%.4f\n", clock_ms_since(start));
    }
    close_engine(&engine);
    return 0;
}

/* Each node within whole runs: the least and the middle time. */
static int bench_layers(const char *path, long runs, struct err *err)
{
    struct engine engine = {0};
    if (open_engine(&engine, path, err) < 0)
        return -1;
    size_t nodes = model_nodes(engine.model), count = (size_t)(runs > 0 ? runs : 1);
    double *times = calloc(nodes * count, sizeof *times);
    if (!times)
        return err_set(err, ERR_NO_MEMORY, "measure layers");
    session_run(engine.session);
    for (size_t run = 0; run < count; run++) {
        fill_input(&engine);
        for (size_t i = 0; i < nodes; i++) {
            uint64_t start = clock_monotonic_ns();
            session_run_node(engine.session, i);
            times[i * count + run] = (double)(clock_monotonic_ns() - start) / 1e3;
        }
    }
    for (size_t i = 0; i < nodes; i++) {
        struct model_node_text text;
        model_node_describe(engine.model, i, &text);
        double *node = times + i * count;
        qsort(node, count, sizeof *node, by_value);
        printf("%3zu %-9s %4d x %3d x %3d %8.1f %8.1f us %6.1f GF/s  %s\n", i, text.op, text.out[1],
               text.out[2], text.out[3], node[0], node[count / 2],
               2e-3 * (double)text.macs / node[0], text.name);
    }
    free(times);
    close_engine(&engine);
    return 0;
}

/* In the child: the clock, which all processes share, when the first result is there. */
static int first_result(const char *path, struct err *err)
{
    struct engine engine = {0};
    if (open_engine(&engine, path, err) < 0)
        return -1;
    fill_input(&engine);
    session_run(engine.session);
    uint64_t end = clock_monotonic_ns();
    printf("%llu\n", (unsigned long long)end);
    return 0;
}

static double cold_start_ms(const char *self, const char *path)
{
    int pipe_fds[2];
    char text[64] = {0};
    posix_spawn_file_actions_t actions;
    if (pipe(pipe_fds) < 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    char first[] = "first";
    char *arguments[] = {(char *)(uintptr_t)self, first, (char *)(uintptr_t)path, NULL};
    pid_t child;
    uint64_t start = clock_monotonic_ns();
    int failed = posix_spawn(&child, self, &actions, NULL, arguments, environ);
    close(pipe_fds[1]);
    ssize_t size = failed ? 0 : read(pipe_fds[0], text, sizeof text - 1);
    close(pipe_fds[0]);
    posix_spawn_file_actions_destroy(&actions);
    if (!failed)
        waitpid(child, NULL, 0);
    return size > 0 ? (double)(strtoull(text, NULL, 10) - start) / 1e6 : -1;
}

static int bench_cold(const char *program, const char *path, long times, struct err *err)
{
    for (long i = 0; i < times; i++) {
        double ms = cold_start_ms(program, path);
        if (ms < 0)
            return err_set(err, ERR_IO, "start a process");
        printf("%.4f\n", ms);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int result;
    if (argc >= 2 && strcmp(argv[1], "peak") == 0)
        result = print_peak(argc > 2 ? argv[2] : NULL);
    else if (argc == 4 && strcmp(argv[1], "run") == 0)
        result = bench_runs(argv[2], strtol(argv[3], NULL, 10), &err);
    else if (argc == 4 && strcmp(argv[1], "layers") == 0)
        result = bench_layers(argv[2], strtol(argv[3], NULL, 10), &err);
    else if (argc >= 4 && strcmp(argv[1], "cold") == 0)
        result = bench_cold(argc > 4 ? argv[4] : "/proc/self/exe", argv[2],
                            strtol(argv[3], NULL, 10), &err);
    else if (argc == 3 && strcmp(argv[1], "first") == 0)
        result = first_result(argv[2], &err);
    else
        result =
            err_set(&err, ERR_INVALID, "usage: engine run|layers|cold MODEL.ken N, or engine peak");
    if (result < 0)
        fprintf(stderr, "engine: %s\n", err.message);
    return result < 0;
}
