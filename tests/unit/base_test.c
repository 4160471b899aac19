#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file_sum.h"
#include "base/glob.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/utf8.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void err_wrap_puts_context_in_front(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_IO, "open %s", "m.bin"), -1);
    assert_int_equal(err_wrap(&err, "load model"), -1);
    assert_string_equal(err.message, "load model: open m.bin");
    assert_int_equal(err.code, ERR_IO);
}

static void err_wrap_cuts_what_does_not_fit(void **state)
{
    (void)state;
    struct err err = {0};
    char text[1024];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    err_set(&err, ERR_IO, "%s", text);
    err_wrap(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void err_set_errno_names_the_cause(void **state)
{
    (void)state;
    struct err err = {0};
    errno = ENOSPC;
    err_set_errno(&err, "write %s", "a");
    assert_int_equal(err.code, ERR_NO_SPACE);
    assert_non_null(strstr(err.message, "write a: No space"));
}

static void arena_refuses_what_passes_its_limit(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_null(arena_alloc(&arena, SIZE_MAX, 2));
    assert_null(arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(arena_alloc(&arena, (1 << 20) + 1, 1));
    assert_non_null(arena_alloc(&arena, 1 << 20, 1));
    assert_null(arena_alloc(&arena, 1, 1));
    arena_finish(&arena);
    assert_non_null(arena_alloc(&arena, 1, 1));
    arena_finish(&arena);
}

static void arena_gives_aligned_zeroed_separate_memory(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    unsigned char *last = NULL;
    for (size_t size = 1; size < 300; size++) {
        unsigned char *p = arena_alloc(&arena, size, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
        assert_ptr_not_equal(p, last);
        last = p;
    }
    assert_string_equal(arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    arena_finish(&arena);
}

static void buf_stops_at_its_limit_and_stays_failed(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    assert_int_equal(buf_puts(&buf, "0123456789"), 0);
    assert_int_equal(buf_puts(&buf, "x"), -1);
    assert_int_equal(buf_puts(&buf, ""), -1);
    assert_string_equal(buf.data, "0123456789");
    buf_clear(&buf);
    assert_int_equal(buf_printf(&buf, "%d", 42), 0);
    assert_string_equal(buf.data, "42");
    buf_finish(&buf);
}

static void file_write_replaces_the_whole_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/ken-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    struct err err = {0};
    assert_int_equal(file_write(path, "first, and longer", 17, 0600, &err), 0);
    assert_int_equal(file_write(path, "second", 6, 0600, &err), 0);
    struct buf buf;
    buf_init(&buf, 100);
    assert_int_equal(file_read(path, &buf, &err), 0);
    assert_string_equal(buf.data, "second");
    buf_finish(&buf);
    buf_init(&buf, 3);
    assert_int_equal(file_read(path, &buf, &err), -1);
    assert_int_equal(err.code, ERR_TOO_BIG);
    buf_finish(&buf);
    assert_int_equal(file_remove_tree(folder, &err), 0);
    assert_int_equal(access(folder, F_OK), -1);
    assert_int_equal(file_remove_tree(folder, &err), 0);
}

static int read_summed(const char *path, struct buf *out, struct err *err)
{
    buf_init(out, 20);
    return file_read_summed(path, out, err);
}

static void a_changed_byte_of_a_summed_file_is_found(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf whole, text;
    char path[64];
    snprintf(path, sizeof path, "/tmp/ken-base-test-%d", (int)getpid());
    assert_int_equal(file_write_summed(path, "{\"a\": \"some text\"}", 18, 0600, &err), 0);
    assert_int_equal(read_summed(path, &text, &err), 0);
    assert_string_equal(text.data, "{\"a\": \"some text\"}");
    buf_finish(&text);
    buf_init(&whole, 100);
    assert_int_equal(file_read(path, &whole, &err), 0);
    for (size_t i = 0; i < whole.size; i++) {
        whole.data[i] ^= 1;
        assert_int_equal(file_write(path, whole.data, whole.size, 0600, &err), 0);
        int is_read = read_summed(path, &text, &err) == 0; /* then as JSON, which this is not */
        assert_true(!is_read || text.size == whole.size);
        assert_true(is_read || err.code == ERR_CORRUPT || err.code == ERR_TOO_BIG);
        whole.data[i] ^= 1;
        buf_finish(&text);
    }
    buf_finish(&whole);
    assert_int_equal(file_write(path, "{}", 2, 0600, &err), 0);
    assert_int_equal(read_summed(path, &text, &err), 0);
    assert_string_equal(text.data, "{}");
    buf_finish(&text);
    assert_int_equal(unlink(path), 0);
}

/* RFC 3720, B.4 */
static void crc32c_is_the_rfcs(void **state)
{
    (void)state;
    unsigned char data[32] = {0};
    assert_int_equal(crc32c(0, data, sizeof data), 0x8a9136aa);
    memset(data, 0xff, sizeof data);
    assert_int_equal(crc32c(0, data, sizeof data), 0x62a8ab43);
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, data, sizeof data), 0x46dd794e);
    assert_int_equal(crc32c(crc32c(0, data, 13), data + 13, sizeof data - 13), 0x46dd794e);
}

static void what_a_killed_writer_left_goes_with_the_next_write(void **state)
{
    (void)state;
    char folder[] = "/tmp/ken-test-XXXXXX", path[64], left[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(left, sizeof left, "%s.unfinished", path);
    struct err err = {0};
    assert_int_equal(file_write(left, "half", 4, 0600, &err), 0);
    assert_int_equal(file_write_alone(path, "whole", 5, 0640, &err), 0);
    assert_int_equal(access(left, F_OK), -1);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(status.st_size, 5);
    assert_int_equal(file_write(left, "half", 4, 0600, &err), 0);
    assert_int_equal(file_remove_unfinished(path, &err), 0);
    assert_int_equal(file_remove_unfinished(path, &err), 0);
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(file_remove_tree(folder, &err), 0);
}

static void file_write_fails_where_the_folder_is_absent(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(file_write("/tmp/ken-absent-folder/a", "x", 1, 0600, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void a_place_to_write_is_checked_and_left_as_it_was(void **state)
{
    (void)state;
    struct err err = {0};
    char folder[] = "/tmp/ken-base-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    assert_int_equal(file_check_writable("/tmp/ken-absent-folder/a", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(file_check_writable(folder, &err), -1);
    assert_int_equal(file_check_writable("/dev/null", &err), -1);
    assert_non_null(strstr(err.message, "no ordinary file"));
    assert_int_equal(file_check_writable(path, &err), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing is left in it */
}

static void file_write_replaces_no_folder_and_no_device(void **state)
{
    (void)state;
    char folder[] = "/tmp/ken-test-XXXXXX", path[64];
    struct stat status;
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    assert_int_equal(file_write(folder, "x", 1, 0600, &err), -1);
    assert_non_null(strstr(err.message, "it is a folder"));
    snprintf(path, sizeof path, "%s/link", folder);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(file_write(path, "x", 1, 0600, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(file_remove_tree(folder, &err), 0);
}

static void utf8_refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\x80",         "\xc0\xaf",         "\xc3", "\xe0\x80\xaf",
                                        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\xe2\x82"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(utf8_is_valid(wrong[i]));
    assert_true(utf8_is_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
}

static void hex_reads_what_it_writes_and_refuses_the_rest(void **state)
{
    (void)state;
    unsigned char bytes[3];
    char text[7];
    assert_int_equal(hex_decode("12345g", bytes, 3), -1);
    assert_int_equal(hex_decode("1 3456", bytes, 3), -1);
    assert_int_equal(hex_decode("1", bytes, 1), -1);
    assert_int_equal(hex_decode("00aBfF", bytes, 3), 0);
    hex_encode(bytes, 3, text);
    assert_string_equal(text, "00abff");
}

static void count_job(void *context, size_t index)
{
    atomic_int *counts = context;
    atomic_fetch_add(&counts[index], 1);
}

static void pool_runs_every_job_once(void **state)
{
    (void)state;
    struct err err = {0};
    struct pool *pool = pool_create(3, &err);
    assert_non_null(pool);
    atomic_int counts[100] = {0};
    for (int round = 1; round <= 50; round++) {
        pool_run(pool, 100, count_job, counts);
        for (int i = 0; i < 100; i++)
            assert_int_equal(atomic_load(&counts[i]), round);
    }
    pool_destroy(pool);
    assert_null(pool_create(0, &err));
}

/* Whatever the load, every job runs once, and the caller gives the others up and takes them back.
 */
static void pool_works_alone_while_disturbed(void **state)
{
    (void)state;
    struct err err = {0};
    struct pool *pool = pool_create(2, &err);
    assert_non_null(pool);
    atomic_int counts[100] = {0};
    for (int piece = 1; piece <= 40; piece++) {
        pool_begin(pool);
        pool_run(pool, 100, count_job, counts);
        if (piece == 1)
            clock_sleep_until_ns(clock_monotonic_ns() + 1000000); /* as if others had run */
        pool_end(pool);
        for (int i = 0; i < 100; i++)
            assert_int_equal(atomic_load(&counts[i]), piece);
    }
    pool_destroy(pool);
}

struct busy {
    atomic_int running, stop;
};

static void *keep_busy(void *argument)
{
    struct busy *busy = argument;
    atomic_fetch_add(&busy->running, 1);
    while (!atomic_load(&busy->stop))
        ;
    return NULL;
}

static void note_thread(void *context, size_t index)
{
    pthread_t *threads = context;
    threads[index] = pthread_self();
}

static void pool_works_alone_where_no_processor_is_free(void **state)
{
    (void)state;
    struct err err = {0};
    struct busy busy = {0};
    pthread_t others[16], threads[100];
    int count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (count > 16 || access("/proc/loadavg", R_OK) < 0)
        skip(); /* it takes a busy thread for each processor */
    struct pool *pool = pool_create(2, &err);
    assert_non_null(pool);
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&others[i], NULL, keep_busy, &busy), 0);
    while (atomic_load(&busy.running) < count)
        sched_yield();
    pool_begin(pool);
    pool_run(pool, 100, note_thread, threads);
    pool_end(pool);
    atomic_store(&busy.stop, 1);
    for (int i = 0; i < count; i++)
        pthread_join(others[i], NULL);
    for (int i = 0; i < 100; i++)
        assert_true(pthread_equal(threads[i], pthread_self()));
    pool_destroy(pool);
}

static void clock_text_is_iso_8601(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_BYTES];
    clock_text(1500000000123, text);
    assert_string_equal(text, "2017-07-14T02:40:00.123Z");
}

static void random_text_keeps_to_its_alphabet(void **state)
{
    (void)state;
    char text[201];
    random_text(text, 200, "ab");
    assert_int_equal(strspn(text, "ab"), 200);
    assert_non_null(strchr(text, 'a'));
    assert_non_null(strchr(text, 'b'));
}

/* What log_line() writes on standard error. */
static void read_log(const char *message, char *out, size_t out_bytes)
{
    int ends[2], kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_line(LOG_ERROR, "%s", message);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[1]);
    ssize_t size = read(ends[0], out, out_bytes - 1);
    close(ends[0]);
    assert_true(size > 0);
    out[size] = 0;
}

static void a_log_line_is_one_line_of_text_or_json(void **state)
{
    char line[8192], long_message[3000];
    (void)state;
    read_log("open x: gone", line, sizeof line);
    assert_string_equal(line + strlen("2026-11-23T05:31:29.123Z "), "error open x: gone\n");
    read_log("a\nb\x1b[2Jc", line, sizeof line);
    assert_string_equal(line + strlen("2026-11-23T05:31:29.123Z "), "error a?b?[2Jc\n");
    setenv("KEN_LOG_FORMAT", "json", 1);
    read_log("a \"b\"\n\\ \x01", line, sizeof line);
    assert_non_null(
        strstr(line, "\"level\": \"error\", \"message\": \"a \\\"b\\\"\\u000a\\\\ \\u0001\"}\n"));
    memset(long_message, 1, sizeof long_message - 1);
    long_message[sizeof long_message - 1] = 0;
    read_log(long_message, line, sizeof line);
    assert_string_equal(line + strlen(line) - 3, "\"}\n");
    unsetenv("KEN_LOG_FORMAT");
}

static int fits(const struct glob *glob, const char *pattern, const char *text)
{
    return glob_matches(glob, pattern, text, strlen(text));
}

static void globs_match_whole_texts(void **state)
{
    static const struct glob plain = {.any = '*'}, both = {'*', '?', 1};
    char stars[64], letters[4096];
    (void)state;
    assert_true(fits(&plain, "", ""));
    assert_true(fits(&plain, "**", ""));
    assert_false(fits(&plain, "", "a"));
    assert_true(fits(&plain, "a*c", "abbbc"));
    assert_true(fits(&plain, "a*b*c", "abxbc"));
    assert_false(fits(&plain, "a*c", "abcd"));
    assert_true(fits(&plain, "a?", "a?"));
    assert_false(fits(&plain, "a?", "ab"));
    assert_false(fits(&plain, "A", "a"));
    assert_true(fits(&both, "s3:Get?bject*", "S3:getOBJECT"));
    assert_false(fits(&both, "s3:Get?", "s3:get"));
    assert_false(glob_matches(&both, "a", "a\0b", 3));
    assert_true(glob_matches(&both, "a?b", "a\0b", 3));
    memset(letters, 'a', sizeof letters);
    for (size_t i = 0; i + 1 < sizeof stars; i++)
        stars[i] = i % 2 ? 'a' : '*';
    stars[sizeof stars - 1] = 0;
    assert_true(glob_matches(&plain, stars, letters, sizeof letters));
    letters[sizeof letters - 1] = 'b';
    assert_true(glob_matches(&plain, stars, letters, sizeof letters - 1));
    assert_true(glob_matches(&plain, stars, letters, sizeof letters));
}

/* Bit by bit, as the polynomial has it. */
static uint32_t crc32c_by_bits(const unsigned char *p, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (; size; p++, size--) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static void crc32c_of_all_lengths_is_the_polynomials(void **state)
{
    (void)state;
    unsigned char data[6000];
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof data; i++) {
        random = random * 1664525 + 1013904223;
        data[i] = (unsigned char)(random >> 24);
    }
    for (size_t size = 0; size + 8 <= sizeof data; size += size % 512 < 510 && size > 40 ? 37 : 1) {
        const unsigned char *from = data + size % 8;
        uint32_t wanted = crc32c_by_bits(from, size);
        assert_int_equal(crc32c(0, from, size), wanted);
        assert_int_equal(crc32c(crc32c(0, from, size / 3), from + size / 3, size - size / 3),
                         wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_wrap_puts_context_in_front),
        cmocka_unit_test(err_wrap_cuts_what_does_not_fit),
        cmocka_unit_test(err_set_errno_names_the_cause),
        cmocka_unit_test(arena_refuses_what_passes_its_limit),
        cmocka_unit_test(arena_gives_aligned_zeroed_separate_memory),
        cmocka_unit_test(buf_stops_at_its_limit_and_stays_failed),
        cmocka_unit_test(file_write_replaces_the_whole_file),
        cmocka_unit_test(a_changed_byte_of_a_summed_file_is_found),
        cmocka_unit_test(crc32c_is_the_rfcs),
        cmocka_unit_test(crc32c_of_all_lengths_is_the_polynomials),
        cmocka_unit_test(what_a_killed_writer_left_goes_with_the_next_write),
        cmocka_unit_test(file_write_fails_where_the_folder_is_absent),
        cmocka_unit_test(a_place_to_write_is_checked_and_left_as_it_was),
        cmocka_unit_test(file_write_replaces_no_folder_and_no_device),
        cmocka_unit_test(hex_reads_what_it_writes_and_refuses_the_rest),
        cmocka_unit_test(utf8_refuses_what_is_none),
        cmocka_unit_test(globs_match_whole_texts),
        cmocka_unit_test(pool_runs_every_job_once),
        cmocka_unit_test(pool_works_alone_while_disturbed),
        cmocka_unit_test(pool_works_alone_where_no_processor_is_free),
        cmocka_unit_test(clock_text_is_iso_8601),
        cmocka_unit_test(random_text_keeps_to_its_alphabet),
        cmocka_unit_test(a_log_line_is_one_line_of_text_or_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
