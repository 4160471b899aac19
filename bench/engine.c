/* The engine's side of bench/engine.mjs.
 *   engine run MODEL.ken RUNS     milliseconds of each run, one a line, after a few to warm up
 *   engine cold MODEL.ken TIMES [PROGRAM]   milliseconds from starting a process (this, or a peer)
 * to its first result engine peak [LEVEL]           multiply-add GFLOP/s that one core reaches; 0
 * without that level KEN_THREADS: threads, default 1; KEN_SIMD caps the level. */
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

static double (*const peaks[SIMD_LEVELS])(long) = {
#ifdef SIMD_HAVE_AVX2
    [SIMD_AVX2] = peak_avx2,
#endif
#ifdef SIMD_HAVE_AVX512
    [SIMD_AVX512] = peak_avx512,
#endif
#ifdef SIMD_HAVE_NEON
    [SIMD_NEON] = peak_neon,
#endif
};

/* The best of several short bursts at that level (NULL: the highest); 0 where it is not known. */
static double peak_gflops(const char *name)
{
    enum { BURSTS = 20, ROUNDS = 200000 };
    double best = 0, (*peak)(long) = NULL;
    for (int i = 0; i <= (int)simd_best(); i++) {
        enum simd_level level = (enum simd_level)i;
        if (peaks[i] && simd_has(level) && (!name || strcmp(name, simd_level_name(level)) == 0))
            peak = peaks[i];
    }
    for (int i = 0; peak && i < BURSTS; i++) {
        uint64_t start = clock_monotonic_ns();
        double operations = peak(ROUNDS);
        double rate = operations / (double)(clock_monotonic_ns() - start);
        best = rate > best ? rate : best;
    }
    return best;
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
        result = printf("%.1f\n", peak_gflops(argc > 2 ? argv[2] : NULL)) < 0;
    else if (argc == 4 && strcmp(argv[1], "run") == 0)
        result = bench_runs(argv[2], strtol(argv[3], NULL, 10), &err);
    else if (argc >= 4 && strcmp(argv[1], "cold") == 0)
        result = bench_cold(argc > 4 ? argv[4] : "/proc/self/exe", argv[2],
                            strtol(argv[3], NULL, 10), &err);
    else if (argc == 3 && strcmp(argv[1], "first") == 0)
        result = first_result(argv[2], &err);
    else
        result = err_set(&err, ERR_INVALID, "usage: engine run|cold MODEL.ken N, or engine peak");
    if (result < 0)
        fprintf(stderr, "engine: %s\n", err.message);
    return result < 0;
}
