#include "cli/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_shown(const char *name, const char *wanted)
{
    char *text = NULL, line[256];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    line_print(out, "used %s, %d", name, 7);
    assert_int_equal(fclose(out), 0);
    snprintf(line, sizeof line, "used %s, 7\n", wanted);
    assert_string_equal(text, line);
    free(text);
}

static void names_are_shown_as_they_are(void **unused)
{
    (void)unused;
    assert_shown("people/Zo\xc3\xab \xe6\x9d\x8e/1 \\n.jpg",
                 "people/Zo\xc3\xab \xe6\x9d\x8e/1 \\n.jpg");
    assert_shown("", "");
    assert_shown("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
}

static void what_moves_a_terminal_is_not(void **unused)
{
    (void)unused;
    assert_shown("a\nused b", "a\\x0aused b");
    assert_shown("a\r\x1b[2Jb\x7f\t", "a\\x0d\\x1b[2Jb\\x7f\\x09");
    assert_shown("\xc2\x9b"
                 "2J",
                 "\\xc2\\x9b2J");
    assert_shown("gpj.\xe2\x80\xae"
                 "a",
                 "gpj.\\xe2\\x80\\xae"
                 "a");
    assert_shown("\xe2\x81\xa6 \xef\xbb\xbf", "\\xe2\\x81\\xa6 \\xef\\xbb\\xbf");
}

static void bytes_that_are_no_letters_are_shown_as_bytes(void **unused)
{
    (void)unused;
    assert_shown("caf\xe9.jpg", "caf\\xe9.jpg");
    assert_shown("\xc3", "\\xc3");
    assert_shown("\xed\xa0\x80", "\\xed\\xa0\\x80");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_shown_as_they_are),
        cmocka_unit_test(what_moves_a_terminal_is_not),
        cmocka_unit_test(bytes_that_are_no_letters_are_shown_as_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
