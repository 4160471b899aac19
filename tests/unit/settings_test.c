#include "cli/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct values {
    const char *name;
    long count;
    double rate;
    int loud;
};

#define SPECS(v)                                                                                   \
    {                                                                                              \
        {"name", 0, OPTION_TEXT, &(v).name, "N", "", 0, 0},                                        \
            {"the-count", 0, OPTION_INT, &(v).count, "N", "", 1, 10},                              \
            {"rate", 0, OPTION_REAL, &(v).rate, "N", "", 0, 0},                                    \
            {"loud", 0, OPTION_FLAG, &(v).loud, NULL, "", 0, 0}, {0},                              \
    }

static int parse(struct values *v, const char *text, struct err *err)
{
    static char copy[1000];
    const struct settings settings = {0};
    const struct option_spec specs[] = SPECS(*v);
    const struct command_line line = {.verb = "edge", .options = specs};
    snprintf(copy, sizeof copy, "%s", text);
    return settings_parse(&settings, &line, copy, "a.conf", err);
}

static void wrong_lines_are_refused_with_their_number(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"# one\n\nnmae = x\n", "a.conf:3: there is no option --nmae; is it --name?"},
        {"name\n", "a.conf:1: \"name\" is not \"name = value\""},
        {"the-count = 0", "a.conf:1: --the-count: 0 is not from 1 to 10"},
        {"the-count = 3x", "a.conf:1"},
        {"loud = perhaps", "a.conf:1: loud: \"perhaps\" is neither yes nor no"},
        {"name = a\nname = b", "a.conf:2: \"name\" is given twice"},
        {"config = x", "a.conf:1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct values v = {0};
        struct err err = {0};
        assert_int_equal(parse(&v, cases[i].text, &err), -1);
        if (!strstr(err.message, cases[i].wanted))
            fail_msg("%s: %s", cases[i].text, err.message);
    }
}

static void every_kind_of_option_is_read(void **state)
{
    (void)state;
    struct values v = {.loud = 1};
    struct err err = {0};
    assert_int_equal(
        parse(&v, "  name = \"a = b # c\" \r\n#x\nthe-count=7\nrate = 0.5\nloud = No\n", &err), 0);
    assert_string_equal(v.name, "a = b # c");
    assert_int_equal(v.count, 7);
    assert_true(v.rate == 0.5);
    assert_int_equal(v.loud, 0);
}

static void the_command_line_wins_over_variables_and_these_over_the_file(void **state)
{
    (void)state;
    struct values v = {0};
    struct err err = {0};
    struct settings settings = {0};
    const struct option_spec specs[] = SPECS(v);
    const struct command_line line = {.verb = "edge", .options = specs};
    char path[] = "/tmp/ken-settings-XXXXXX", word[100];
    int first, fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "name = file\nthe-count = 1\nrate = 1\nloud = yes\n";
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    setenv("T_NAME", "variable", 1);
    setenv("T_THE_COUNT", "2", 1);
    snprintf(word, sizeof word, "--config=%s", path);
    char edge[] = "edge", option[] = "--name", value[] = "line";
    char *argv[] = {edge, word, option, value, NULL};
    assert_int_equal(settings_load(&settings, &line, "T_", argv, &err), 0);
    char *rest[] = {edge, option, value, NULL};
    assert_int_equal(options_parse(&line, 3, rest, &first, &err), 0);
    assert_string_equal(v.name, "line");
    assert_int_equal(v.count, 2);
    assert_true(v.rate == 1);
    assert_int_equal(v.loud, 1);
    settings_finish(&settings);
    setenv("T_THE_COUNT", "many", 1);
    assert_int_equal(settings_load(&settings, &line, "T_", rest, &err), -1);
    assert_non_null(strstr(err.message, "T_THE_COUNT"));
    settings_finish(&settings);
    unsetenv("T_NAME");
    unsetenv("T_THE_COUNT");
    unlink(path);
}

static void an_unknown_variable_is_refused(void **state)
{
    (void)state;
    struct values v = {0};
    struct err err = {0};
    struct settings settings = {0}, lenient = {.lenient = 1};
    const struct option_spec specs[] = SPECS(v);
    const struct command_line line = {.verb = "edge", .options = specs};
    char edge[] = "edge", *argv[] = {edge, NULL};
    setenv("T_NAEM", "x", 1);
    assert_int_equal(settings_load(&settings, &line, "T_", argv, &err), -1);
    assert_non_null(strstr(err.message, "T_NAEM: there is no option --naem"));
    assert_int_equal(settings_load(&lenient, &line, "T_", argv, &err), 0);
    unsetenv("T_NAEM");
}

static void an_absent_file_is_told(void **state)
{
    (void)state;
    struct values v = {0};
    struct err err = {0};
    struct settings settings = {0};
    const struct option_spec specs[] = SPECS(v);
    const struct command_line line = {.verb = "edge", .options = specs};
    char edge[] = "edge", option[] = "--config", value[] = "/tmp/ken-absent.conf";
    char *argv[] = {edge, option, value, NULL};
    assert_int_equal(settings_load(&settings, &line, "T_", argv, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    settings_finish(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_lines_are_refused_with_their_number),
        cmocka_unit_test(every_kind_of_option_is_read),
        cmocka_unit_test(the_command_line_wins_over_variables_and_these_over_the_file),
        cmocka_unit_test(an_unknown_variable_is_refused),
        cmocka_unit_test(an_absent_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
