#include "cli/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_hint(const char *typed, const char *expected)
{
    static const char *const words[] = {"video", "every", "keep-days", "keep-mb", "threads"};
    char hint[NEAREST_HINT_BYTES];
    struct nearest nearest;
    nearest_init(&nearest, typed, strlen(typed));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        nearest_offer(&nearest, words[i]);
    nearest_hint(&nearest, "--", hint);
    assert_string_equal(hint, expected);
}

static void what_is_far_from_all_is_left_alone(void **unused)
{
    (void)unused;
    assert_hint("", "");
    assert_hint("v", "");
    assert_hint("colour", "");
    assert_hint("no-such-option", "");
    assert_hint("a-word-that-is-much-longer-than-any-option-of-any-verb", "");
}

static void a_slip_is_found(void **unused)
{
    (void)unused;
    assert_hint("vido", "; is it --video?");
    assert_hint("vidoe", "; is it --video?");
    assert_hint("evrey", "; is it --every?");
    assert_hint("videos", "; is it --video?");
    assert_hint("treadh", "; is it --threads?");
    assert_hint("keep_mb", "; is it --keep-mb?");
}

static void the_beginning_of_several_names_the_first(void **unused)
{
    (void)unused;
    assert_hint("keep", "; is it --keep-days?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_far_from_all_is_left_alone),
        cmocka_unit_test(a_slip_is_found),
        cmocka_unit_test(the_beginning_of_several_names_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
