#include "cloud/s3/etags.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXTS_BYTES = 70000, LONGEST_BYTES = 200, OWNERS = 12, ROUNDS = 300 };

static unsigned char texts[TEXTS_BYTES];

static void fill_texts(void)
{
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof texts; i++) {
        random = random * 1664525 + 1013904223;
        texts[i] = (unsigned char)(random >> 24);
    }
}

static void assert_md5(const unsigned char *md5, const void *data, size_t size)
{
    unsigned char wanted[MD5_BYTES];
    assert_int_equal(EVP_Digest(data, size, wanted, NULL, EVP_md5(), NULL), 1);
    assert_memory_equal(md5, wanted, MD5_BYTES);
}

static void check_texts(const struct md5_text *all, size_t count)
{
    assert_int_equal(md5_lanes(all, count), 0);
    for (size_t i = 0; i < count; i++)
        assert_md5(all[i].md5, all[i].data, all[i].size);
}

/* Where a text ends in its last block decides about one tail block or two. */
static void texts_of_all_lengths_have_their_md5(void **state)
{
    (void)state;
    unsigned char md5s[MD5_LANES][MD5_BYTES];
    for (size_t size = 0; size < LONGEST_BYTES; size++) {
        struct md5_text all[MD5_LANES];
        for (size_t i = 0; i < MD5_LANES; i++)
            all[i] = (struct md5_text){texts + 7 * i + size, size, md5s[i]};
        for (size_t count = 1; count <= MD5_LANES; count++)
            check_texts(all, count);
    }
}

static void a_long_text_does_not_change_a_short_one(void **state)
{
    (void)state;
    static const size_t sizes[MD5_LANES] = {0, 65536, 1, 35000, 63, 64, 4096, 55};
    unsigned char md5s[MD5_LANES][MD5_BYTES];
    struct md5_text all[MD5_LANES];
    for (size_t i = 0; i < MD5_LANES; i++)
        all[i] = (struct md5_text){texts + i, sizes[i], md5s[i]};
    check_texts(all, MD5_LANES);
}

static void who_writes_first_digests_those_behind_it(void **state)
{
    (void)state;
    struct etags etags;
    struct err err = {0};
    struct etag_wait waits[OWNERS];
    etags_init(&etags);
    for (size_t i = 0; i < OWNERS; i++) {
        waits[i] = (struct etag_wait){.data = texts + i, .size = 1000 * i};
        etags_add(&etags, &waits[i]);
    }
    assert_int_equal(etags_make(&etags, &waits[2], &err), 0);
    for (size_t i = 0; i < OWNERS; i++)
        assert_int_equal(waits[i].state, i < MD5_LANES ? ETAG_MADE : ETAG_WAITS);
    etags_leave(&etags, &waits[OWNERS - 1]); /* its write failed */
    etags_leave(&etags, &waits[OWNERS - 3]);
    for (size_t i = 0; i < OWNERS - 3; i++) {
        assert_int_equal(etags_make(&etags, &waits[i], &err), 0);
        etags_leave(&etags, &waits[i]);
        assert_md5(waits[i].md5, waits[i].data, waits[i].size);
    }
    etags_leave(&etags, &waits[OWNERS - 2]);
    assert_null(etags.first);
    assert_ptr_equal(etags.last, &etags.first);
    etags_finish(&etags);
}

struct owner {
    struct etags *etags;
    pthread_mutex_t *write;
    size_t number;
};

/* Its data goes as soon as it has left, as a request's does. */
static void *put_and_leave(void *argument)
{
    const struct owner *owner = argument;
    int wrong = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct err err;
        size_t size = (owner->number * 911 + round * 37) % 3000;
        unsigned char *data = malloc(size + 1), md5[MD5_BYTES];
        memcpy(data, texts + round, size);
        struct etag_wait wait = {.data = data, .size = size};
        etags_add(owner->etags, &wait);
        int is_made = (round + owner->number) % 5 != 0;
        pthread_mutex_lock(owner->write);
        wrong |= is_made && etags_make(owner->etags, &wait, &err) < 0;
        pthread_mutex_unlock(owner->write);
        etags_leave(owner->etags, &wait);
        memset(data, 0, size);
        free(data);
        EVP_Digest(texts + round, size, md5, NULL, EVP_md5(), NULL);
        wrong |= is_made && memcmp(wait.md5, md5, MD5_BYTES) != 0;
    }
    return wrong ? argument : NULL;
}

static void many_at_once_have_their_own(void **state)
{
    (void)state;
    struct etags etags;
    pthread_mutex_t write = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[OWNERS];
    struct owner owners[OWNERS];
    etags_init(&etags);
    for (size_t i = 0; i < OWNERS; i++) {
        owners[i] = (struct owner){&etags, &write, i};
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_leave, &owners[i]), 0);
    }
    for (size_t i = 0; i < OWNERS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_null(etags.first);
    etags_finish(&etags);
}

int main(void)
{
    fill_texts();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_all_lengths_have_their_md5),
        cmocka_unit_test(a_long_text_does_not_change_a_short_one),
        cmocka_unit_test(who_writes_first_digests_those_behind_it),
        cmocka_unit_test(many_at_once_have_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
