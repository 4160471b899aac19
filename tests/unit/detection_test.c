#include "base/file.h"
#include "face/detection.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void write_text(char *path, const char *text)
{
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
}

static int read_text(struct true_faces *list, const char *text, struct err *err)
{
    char path[] = "/tmp/ken-detection-XXXXXX";
    write_text(path, text);
    int result = true_faces_read(list, path, err);
    unlink(path);
    return result;
}

static int read_found(struct found_faces *list, const char *text, struct err *err)
{
    char path[] = "/tmp/ken-detection-XXXXXX";
    write_text(path, text);
    int result = found_faces_read(list, path, err);
    unlink(path);
    return result;
}

static void refuse(const char *text, const char *cause)
{
    struct true_faces list;
    struct err err = {0};
    assert_int_equal(read_text(&list, text, &err), -1);
    if (!strstr(err.message, cause))
        fail_msg("\"%s\" has no \"%s\"", err.message, cause);
    assert_null(list.faces);
}

static void damaged_lists_are_refused_by_line(void **state)
{
    (void)state;
    refuse("", "empty");
    refuse("image\tx\ty\tw\th\tignore\n", "no face");
    refuse("a.jpg\t1\t2\t3\t4\t1\n", "no face");
    refuse("a.jpg\t1\t2\t3\t4\n", "line 1: 5 columns");
    refuse("a.jpg\t1\t2\t3\t4\t0\t9\n", "line 1: 7 columns");
    refuse("a.jpg\t1\t2\t3\t4\t0\nb.jpg\t1\t2\t3\t4\t2\n", "line 2: ignore");
    refuse("a.jpg\t1\t2\t3\t4\t0\nb.jpg\t1\tx\t3\t4\t0\n", "line 2: no image and box");
    refuse("a.jpg\t1\t2\t3\tnan\t0\n", "line 1: no image and box");
    refuse("\t1\t2\t3\t4\t0\n", "line 1: no image and box");
}

static void faces_are_grouped_by_image(void **state)
{
    (void)state;
    struct true_faces list;
    struct err err = {0};
    assert_int_equal(read_text(&list,
                               "image\tx\ty\tw\th\tignore\r\nb\t1\t2\t3\t4\t0\r\n"
                               "a\t5\t6\t7\t8\t1\r\nb\t9\t9\t9\t9\t0\r\n",
                               &err),
                     0);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.wanted, 2);
    assert_string_equal(list.faces[0].image, "a");
    assert_true(list.faces[0].box[3] == 8);
    assert_int_equal(true_faces_in_image(&list, 0), 1);
    assert_int_equal(true_faces_in_image(&list, 1), 2);
    true_faces_finish(&list);
}

static void damaged_lists_of_what_was_found_are_refused_by_line(void **state)
{
    (void)state;
    struct found_faces list;
    struct err err = {0};
    assert_int_equal(read_found(&list, "a.jpg\t1\t2\t3\t4\t0.5\nb.jpg\t1\t2\t3\t4\t-\n", &err), -1);
    assert_non_null(strstr(err.message, "line 2: no score"));
    assert_null(list.faces);
    assert_int_equal(read_found(&list, "a.jpg\t1\t2\tinf\t4\t0.5\n", &err), -1);
    assert_non_null(strstr(err.message, "line 1: no image and box"));
    assert_int_equal(read_found(&list, "a.jpg\t1\t2\t4\t0.5\n", &err), -1);
    assert_non_null(strstr(err.message, "line 1: 5 columns"));
}

static void what_was_found_is_read_by_image(void **state)
{
    (void)state;
    struct found_faces list;
    struct err err = {0};
    assert_int_equal(read_found(&list,
                                "image\tx\ty\tw\th\tscore\nb\t1\t2\t3\t4\t0.25\n"
                                "a\t5\t6\t7\t8\t-3\n",
                                &err),
                     0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.faces[0].image, "a");
    assert_true(list.faces[0].score == -3 && list.faces[1].box[3] == 4);
    found_faces_finish(&list);
    assert_int_equal(read_found(&list, "image\tx\ty\tw\th\tscore\n", &err), 0);
    assert_int_equal(list.count, 0);
    found_faces_finish(&list);
}

static void a_face_is_found_once_and_an_ignored_one_counts_for_nothing(void **state)
{
    (void)state;
    struct true_face faces[] = {{"a", {0, 0, 10, 10}, 0, 0}, {"a", {50, 0, 10, 10}, 1, 0}};
    struct detection found[] = {
        {{0, 0, 10, 10}, 0.5f, 0, 9},  /* exact, but after the next: a false alarm */
        {{0, 0, 10, 19}, 0.9f, 0, 9},  /* 100 / 190: a hit */
        {{51, 0, 10, 10}, 0.8f, 0, 9}, /* ignored, */
        {{50, 0, 10, 10}, 0.7f, 0, 9}, /* and again */
        {{0, 0, 10, 21}, 0.95f, 0, 9}, /* 100 / 210: too little */
    };
    detection_judge(faces, 2, found, 5);
    assert_true(found[0].score == 0.95f);
    assert_int_equal(found[0].hit, 0);
    assert_int_equal(found[1].hit, 1);
    assert_int_equal(found[2].hit, -1);
    assert_int_equal(found[3].hit, -1);
    assert_int_equal(found[4].hit, 0);
}

static void nothing_found_is_no_recall(void **state)
{
    (void)state;
    struct detection none = {.hit = -1};
    struct detection_result result;
    detection_evaluate(&none, 1, 5, &result);
    assert_true(result.recall == 0 && result.recall_at_95 == 0 && result.average_precision == 0);
    assert_true(result.threshold == 1);
}

static void figures_equal_those_by_hand(void **state)
{
    (void)state;
    struct detection found[] = {{.score = 0.9f, .hit = 1},
                                {.score = 0.8f, .hit = 1},
                                {.score = 0.85f, .hit = -1},
                                {.score = 0.7f, .hit = 0},
                                {.score = 0.6f, .hit = 1}};
    struct detection_result result;
    detection_evaluate(found, 5, 4, &result);
    assert_true(fabs(result.recall - 0.75) < 1e-9);
    assert_true(fabs(result.recall_at_95 - 0.5) < 1e-9);
    assert_true(fabs(result.threshold - 0.8) < 1e-6);
    assert_true(fabs(result.average_precision - (1 + 1 + 0.75) / 4) < 1e-9);
}

static void a_threshold_does_not_part_equal_scores(void **state)
{
    (void)state;
    struct detection found[] = {{.score = 0.9f, .hit = 1}, {.score = 0.9f, .hit = 0}};
    struct detection_result result;
    detection_evaluate(found, 2, 1, &result);
    assert_true(result.recall_at_95 == 0);
    assert_true(fabs(result.average_precision - 0.5) < 1e-9);
}

static void the_interval_is_of_photos_not_of_faces(void **state)
{
    (void)state;
    /* Ten photos alike: whichever are drawn, two of their three faces are found. */
    struct detection found[20];
    size_t wanted[10];
    double interval[2];
    struct err err = {0};
    for (size_t i = 0; i < 20; i++)
        found[i] = (struct detection){.score = 0.9f, .photo = i / 2, .hit = 1};
    for (size_t i = 0; i < 10; i++)
        wanted[i] = 3;
    assert_int_equal(detection_interval(found, 20, wanted, 10, interval, &err), 0);
    assert_true(fabs(interval[0] - 2.0 / 3) < 1e-9 && fabs(interval[1] - 2.0 / 3) < 1e-9);
    /* All faces found in five, none in the others: what is drawn decides. Half of 10 draws, 95 % of
     * the binomial distribution: 2 to 8. */
    for (size_t i = 0; i < 20; i++)
        found[i] = (struct detection){.score = 0.9f, .photo = i / 4, .hit = 1};
    for (size_t i = 0; i < 10; i++)
        wanted[i] = 4;
    assert_int_equal(detection_interval(found, 20, wanted, 10, interval, &err), 0);
    assert_true(fabs(interval[0] - 0.2) < 1e-9 && fabs(interval[1] - 0.8) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_lists_are_refused_by_line),
        cmocka_unit_test(faces_are_grouped_by_image),
        cmocka_unit_test(damaged_lists_of_what_was_found_are_refused_by_line),
        cmocka_unit_test(what_was_found_is_read_by_image),
        cmocka_unit_test(the_interval_is_of_photos_not_of_faces),
        cmocka_unit_test(a_face_is_found_once_and_an_ignored_one_counts_for_nothing),
        cmocka_unit_test(nothing_found_is_no_recall),
        cmocka_unit_test(figures_equal_those_by_hand),
        cmocka_unit_test(a_threshold_does_not_part_equal_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
