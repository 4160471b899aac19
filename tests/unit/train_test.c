#include "face/head_trial.h"
#include "face/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 40 };

/* An album of made-up faces, and the verdicts. */
struct fixture {
    struct album album;
    struct gallery *gallery;
    enum train_reason reasons[MAX];
    char texts[MAX][TRAIN_TEXT_BYTES];
    size_t reported, alike;
    float similarity; /* of the last pair alike */
    struct train_summary summary;
    size_t trials;
    struct head_trial trial;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct err err;
    memset(&fixture, 0, sizeof fixture);
    album_init(&fixture.album);
    fixture.gallery = gallery_create(&err);
    *state = &fixture;
    return fixture.gallery ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    gallery_destroy(fixture->gallery);
    album_finish(&fixture->album);
    return 0;
}

/* A photo of `person` whose face lies `degrees` from axis `who` towards an axis of its own. */
static struct album_photo *add(struct fixture *fixture, const char *person, int who, double degrees)
{
    struct err err;
    char path[64];
    size_t index = fixture->album.count;
    snprintf(path, sizeof path, "%s/%zu.jpg", person, index);
    assert_int_equal(album_add(&fixture->album, person, path, &err), 0);
    struct album_photo *photo = &fixture->album.photos[index];
    photo->state = ALBUM_FACE;
    photo->similar = 1;
    photo->digest[0] = (uint8_t)(index + 1);
    photo->face.quality =
        (struct face_quality){.eye_distance_px = 60, .brightness = 120, .contrast = 40};
    double angle = degrees * 3.14159265358979 / 180;
    photo->face.embedding[who] = (float)cos(angle);
    photo->face.embedding[100 + index] = (float)sin(angle);
    return photo;
}

static void take_photo(void *context, const struct album_photo *photo,
                       const struct train_verdict *verdict)
{
    struct fixture *fixture = context;
    size_t index = (size_t)(photo - fixture->album.photos);
    assert_int_equal(index, fixture->reported++);
    fixture->reasons[index] = verdict->reason;
    strcpy(fixture->texts[index], verdict->text);
}

static void take_alike(void *context, const struct train_pair *pair)
{
    struct fixture *fixture = context;
    fixture->alike++;
    fixture->similarity = pair->similarity;
}

static int train(struct fixture *fixture, struct err *err)
{
    struct train_options options = {
        .report = take_photo, .alike = take_alike, .context = fixture, .alike_from = 0.5f};
    *err = (struct err){0};
    return train_album(fixture->gallery, &fixture->album, &options, &fixture->summary, err);
}

static void an_empty_album_enrols_nobody(void **state)
{
    struct err err;
    assert_int_equal(train(*state, &err), -1);
    assert_non_null(strstr(err.message, "no usable photo"));
}

static void every_bad_view_is_refused_with_its_reason(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    for (int i = 0; i < 8; i++)
        add(fixture, "anna", 0, 20);
    struct album_photo *photos = fixture->album.photos;
    photos[0].state = ALBUM_UNREADABLE;
    photos[0].failure = "read anna/0.jpg: it is empty";
    photos[1].state = ALBUM_NO_FACE;
    photos[2].similar = 3;
    photos[3].face.quality.eye_distance_px = TRAIN_MIN_EYE_DISTANCE - 1;
    photos[4].face.quality.blur_px = TRAIN_MAX_BLUR + 0.1f;
    photos[5].face.quality.yaw_deg = -TRAIN_MAX_YAW - 1;
    photos[6].face.quality.pitch_deg = TRAIN_MAX_PITCH + 1;
    assert_int_equal(train(fixture, &err), 0);
    static const enum train_reason wanted[] = {
        TRAIN_UNREADABLE,  TRAIN_NO_FACE,     TRAIN_SEVERAL_FACES, TRAIN_TOO_SMALL,
        TRAIN_TOO_BLURRED, TRAIN_TURNED_AWAY, TRAIN_TURNED_AWAY,   TRAIN_USED};
    assert_memory_equal(fixture->reasons, wanted, sizeof wanted);
    assert_string_equal(fixture->texts[0], "read anna/0.jpg: it is empty");
    assert_string_equal(fixture->texts[2], "3 faces of like size: show one person");
    assert_non_null(strstr(fixture->texts[5], "41 degrees to the left"));
    assert_non_null(strstr(fixture->texts[6], "36 degrees up"));
    assert_int_equal(fixture->summary.refused, 7);
    assert_int_equal(fixture->summary.reasons[TRAIN_TURNED_AWAY], 2);
    assert_int_equal(gallery_templates(fixture->gallery), 1);
}

static void views_at_the_limits_are_used(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    struct face_quality *quality = &add(fixture, "anna", 0, 20)->face.quality;
    *quality = (struct face_quality){.eye_distance_px = TRAIN_MIN_EYE_DISTANCE,
                                     .blur_px = TRAIN_MAX_BLUR,
                                     .yaw_deg = -TRAIN_MAX_YAW,
                                     .brightness = TRAIN_MAX_BRIGHTNESS,
                                     .pitch_deg = TRAIN_MAX_PITCH};
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->reasons[0], TRAIN_USED);
}

static void the_same_file_twice_counts_once(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    add(fixture, "anna", 0, 20);
    add(fixture, "anna", 0, 20)->digest[0] = 1;
    add(fixture, "anna", 0, 20);
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->reasons[0], TRAIN_USED);
    assert_int_equal(fixture->reasons[1], TRAIN_DUPLICATE);
    assert_non_null(strstr(fixture->texts[1], "anna/0.jpg"));
    assert_int_equal(fixture->reasons[2], TRAIN_USED);
}

static void a_file_in_two_persons_folders_is_neithers(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    add(fixture, "anna", 0, 20);
    add(fixture, "anna", 0, 20);
    add(fixture, "bert", 0, 20)->digest[0] = 1;
    add(fixture, "bert", 1, 20);
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->reasons[0], TRAIN_DUPLICATE);
    assert_int_equal(fixture->reasons[2], TRAIN_DUPLICATE);
    assert_int_equal(fixture->summary.used, 2);
}

static void a_picture_saved_again_counts_once(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    add(fixture, "anna", 0, 1); /* 1.4 degrees apart */
    add(fixture, "anna", 0, 1);
    add(fixture, "anna", 0, 8); /* as two frames a second apart */
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->reasons[0], TRAIN_USED);
    assert_int_equal(fixture->reasons[1], TRAIN_DUPLICATE);
    assert_int_equal(fixture->reasons[2], TRAIN_USED);
}

static void a_picture_saved_again_in_another_folder_is_neithers(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    for (int i = 0; i < 10; i++)
        add(fixture, "anna", 0, 30);
    add(fixture, "anna", 1, 1); /* bert's, and saved again: another file */
    for (int i = 0; i < 3; i++)
        add(fixture, "bert", 1, 30);
    add(fixture, "bert", 1, 1);
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->reasons[10], TRAIN_DUPLICATE);
    assert_int_equal(fixture->reasons[14], TRAIN_DUPLICATE);
    assert_non_null(
        strstr(fixture->texts[10], "the same picture as bert/14.jpg, of another person"));
    assert_non_null(
        strstr(fixture->texts[14], "the same picture as anna/10.jpg, of another person"));
    assert_int_equal(fixture->summary.used, 13);
}

static void bad_light_is_refused_at_both_ends(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    for (int i = 0; i < 4; i++)
        add(fixture, "anna", 0, 20);
    struct album_photo *photos = fixture->album.photos;
    photos[0].face.quality.brightness = TRAIN_MIN_BRIGHTNESS - 1;
    photos[1].face.quality.brightness = TRAIN_MIN_BRIGHTNESS;
    photos[2].face.quality.brightness = TRAIN_MAX_BRIGHTNESS;
    photos[3].face.quality.brightness = TRAIN_MAX_BRIGHTNESS + 1;
    assert_int_equal(train(fixture, &err), 0);
    static const enum train_reason wanted[] = {TRAIN_BAD_LIGHT, TRAIN_USED, TRAIN_USED,
                                               TRAIN_BAD_LIGHT};
    assert_memory_equal(fixture->reasons, wanted, sizeof wanted);
    assert_non_null(strstr(fixture->texts[0], "too dark"));
    assert_non_null(strstr(fixture->texts[3], "overexposed"));
}

static void take_trial(void *context, const struct head_trial *trial)
{
    struct fixture *fixture = context;
    fixture->trials++;
    fixture->trial = *trial;
}

static void a_head_is_tried_where_there_are_enough_people(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    struct head_options head = head_defaults;
    struct train_options options = {.context = fixture, .head = &head, .tried = take_trial};
    char name[16];
    head.epochs = 2;
    for (int i = 0; i < 2 * HEAD_TRIAL_MIN_PEOPLE; i++) {
        snprintf(name, sizeof name, "person %d", i / 2);
        add(fixture, name, i / 2, 20);
    }
    assert_int_equal(
        train_album(fixture->gallery, &fixture->album, &options, &fixture->summary, &err), 0);
    assert_int_equal(fixture->trials, 1);
    assert_true(fixture->trial.trained);
    assert_false(fixture->trial.kept); /* everybody is found without */
    assert_null(gallery_head(fixture->gallery));
    assert_int_equal(fixture->trial.held_back, HEAD_TRIAL_MIN_PEOPLE);
    assert_int_equal(fixture->trial.people_trained, HEAD_TRIAL_MIN_PEOPLE * 3 / 4);
    assert_int_equal(gallery_templates(fixture->gallery), 2 * HEAD_TRIAL_MIN_PEOPLE);
}

static void an_outlier_is_named_and_the_others_stay(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    add(fixture, "anna", 0, 40);
    add(fixture, "anna", 7, 0); /* a stranger */
    add(fixture, "anna", 0, 40);
    add(fixture, "anna", 8, 0); /* another */
    add(fixture, "anna", 0, 40);
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->summary.reasons[TRAIN_OUTLIER], 2);
    assert_int_equal(fixture->reasons[1], TRAIN_OUTLIER);
    assert_int_equal(fixture->reasons[3], TRAIN_OUTLIER);
    assert_non_null(strstr(fixture->texts[1], "unlike the other photos of anna"));
}

static void of_two_photos_unlike_each_other_neither_is_used(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    add(fixture, "anna", 0, 0);
    add(fixture, "anna", 1, 0);
    add(fixture, "bert", 2, 10);
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->reasons[0], TRAIN_OUTLIER);
    assert_int_equal(fixture->reasons[1], TRAIN_OUTLIER);
    assert_int_equal(fixture->summary.people, 1);
}

static void a_photo_in_the_wrong_folder_names_its_owner(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    for (int i = 0; i < 3; i++)
        add(fixture, "anna", 0, 30);
    add(fixture, "anna", 1, 30);
    for (int i = 0; i < 3; i++)
        add(fixture, "bert", 1, 30);
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->reasons[3], TRAIN_LIKE_OTHER);
    assert_non_null(strstr(fixture->texts[3], "looks like bert"));
    assert_int_equal(fixture->summary.used, 6);
    assert_int_equal(fixture->alike, 0);
}

static void people_who_look_alike_are_reported_and_both_enrolled(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    for (int i = 0; i < 3; i++)
        add(fixture, "anna", 0, 30);
    for (int i = 0; i < 3; i++)
        add(fixture, "anna's sister", 0, 30);
    add(fixture, "carl", 5, 30);
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->summary.people, 3);
    assert_int_equal(fixture->alike, 1);
    assert_true(fixture->similarity > 0.8f);
}

static void a_folder_without_a_persons_name_is_passed_over(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    add(fixture, "anna", 0, 20);
    add(fixture, "unknown", 1, 20);
    assert_int_equal(train(fixture, &err), 0);
    assert_int_equal(fixture->reasons[1], TRAIN_BAD_NAME);
    assert_int_equal(fixture->summary.people, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_album_enrols_nobody),
        TEST(every_bad_view_is_refused_with_its_reason),
        TEST(views_at_the_limits_are_used),
        TEST(the_same_file_twice_counts_once),
        TEST(a_file_in_two_persons_folders_is_neithers),
        TEST(a_picture_saved_again_counts_once),
        TEST(a_picture_saved_again_in_another_folder_is_neithers),
        TEST(bad_light_is_refused_at_both_ends),
        TEST(a_head_is_tried_where_there_are_enough_people),
        TEST(an_outlier_is_named_and_the_others_stay),
        TEST(of_two_photos_unlike_each_other_neither_is_used),
        TEST(a_photo_in_the_wrong_folder_names_its_owner),
        TEST(people_who_look_alike_are_reported_and_both_enrolled),
        TEST(a_folder_without_a_persons_name_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
