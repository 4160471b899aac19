#include "face/head_trial.h"
#include "face/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Made-up faces: a direction a person, and on every photo something that has nothing to do with who
 * it is, as light or glasses would be: along few axes, the same for everybody. A head that learns
 * anything learns to look past these axes, also for people it never saw. */

enum { PHOTOS = 6, NUISANCES = 12 };

struct faces {
    struct head_photos photos;
    float *embeddings;
    uint32_t *people;
};

static double random_normal(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)(head_random(state) >> 11) * 0x1p-53;
    return sum;
}

static void make_photo(float out[ROW_VALUES], const float *who, double nuisance, uint64_t *state)
{
    double square = 0;
    for (int i = 0; i < ROW_VALUES; i++) {
        double value = (double)who[i] + 0.02 * random_normal(state);
        if (i < NUISANCES)
            value += nuisance * random_normal(state);
        out[i] = (float)value;
        square += value * value;
    }
    for (int i = 0; i < ROW_VALUES; i++)
        out[i] /= (float)sqrt(square);
}

static struct faces make_faces(size_t people, double nuisance, uint64_t seed)
{
    struct faces faces = {.photos = {.count = people * PHOTOS, .people_count = people, .views = 1}};
    faces.embeddings = malloc(faces.photos.count * ROW_VALUES * sizeof(float));
    faces.people = malloc(faces.photos.count * sizeof(uint32_t));
    assert_non_null(faces.embeddings);
    assert_non_null(faces.people);
    for (size_t person = 0; person < people; person++) {
        float who[ROW_VALUES];
        for (int i = 0; i < ROW_VALUES; i++)
            who[i] = (float)random_normal(&seed) / 23;
        for (size_t photo = person * PHOTOS; photo < (person + 1) * PHOTOS; photo++) {
            faces.people[photo] = (uint32_t)person;
            make_photo(faces.embeddings + photo * ROW_VALUES, who, nuisance, &seed);
        }
    }
    faces.photos.embeddings = faces.embeddings;
    faces.photos.people = faces.people;
    return faces;
}

static void drop_faces(struct faces *faces)
{
    free(faces->embeddings);
    free(faces->people);
}

static void one_person_trains_nothing(void **state)
{
    (void)state;
    struct err err = {0};
    struct faces faces = make_faces(1, 0.3, 1);
    assert_null(head_train(&faces.photos, &head_defaults, &err));
    assert_int_equal(err.code, ERR_INVALID);
    drop_faces(&faces);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct faces faces = make_faces(4, 0.3, 1);
    struct head_options options = head_defaults;
    options.epochs = 0;
    assert_null(head_train(&faces.photos, &options, &err));
    options = head_defaults;
    options.batch_size = HEAD_MAX_BATCH + 1;
    assert_null(head_train(&faces.photos, &options, &err));
    options = head_defaults;
    options.learning_rate = NAN;
    assert_null(head_train(&faces.photos, &options, &err));
    assert_int_equal(err.code, ERR_INVALID);
    drop_faces(&faces);
}

static void a_learning_rate_that_blows_up_is_an_error_or_a_head(void **state)
{
    (void)state;
    struct err err = {0};
    struct faces faces = make_faces(8, 0.3, 1);
    struct head_options options = head_defaults;
    options.learning_rate = 1;
    struct head *head = head_train(&faces.photos, &options, &err);
    if (!head)
        assert_non_null(strstr(err.message, "grew too large"));
    head_destroy(head);
    drop_faces(&faces);
}

static void too_few_people_are_not_tried(void **state)
{
    (void)state;
    struct err err = {0};
    struct head_trial trial;
    struct head *head;
    struct faces faces = make_faces(HEAD_TRIAL_MIN_PEOPLE - 1, 0.3, 1);
    assert_int_equal(head_try(&head, &faces.photos, &head_defaults, &trial, &err), 0);
    assert_null(head);
    assert_false(trial.trained);
    drop_faces(&faces);
}

static void nothing_to_learn_keeps_no_head(void **state)
{
    (void)state;
    struct err err = {0};
    struct head_trial trial;
    struct head *head;
    struct faces faces = make_faces(60, 0, 2);
    assert_int_equal(head_try(&head, &faces.photos, &head_defaults, &trial, &err), 0);
    assert_true(trial.trained);
    assert_null(head);
    assert_false(trial.kept);
    drop_faces(&faces);
}

static void what_disturbs_everybody_is_learnt_and_the_head_kept(void **state)
{
    (void)state;
    struct err err = {0};
    struct head_trial trial;
    struct head *head;
    struct head_options options = head_defaults;
    struct faces faces = make_faces(160, 0.5, 3);
    options.learning_rate = 2e-3;
    assert_int_equal(head_try(&head, &faces.photos, &options, &trial, &err), 0);
    assert_true(trial.trained && trial.kept);
    assert_non_null(head);
    assert_true(trial.gained > trial.lost);
    assert_true(trial.head.fnir.value < trial.plain.fnir.value);
    assert_int_equal(trial.held_back, 160);
    assert_int_equal(trial.people_trained, 120);
    assert_int_equal(trial.photos_trained, 120 * (PHOTOS - 1));
    assert_int_equal(trial.strangers, 40 * PHOTOS);
    head_destroy(head);
    drop_faces(&faces);
}

static void keep_trial(void *context, const struct head_trial *trial)
{
    *(struct head_trial *)context = *trial;
}

static void fill_album(struct album *album, const struct faces *faces)
{
    struct err err = {0};
    album_init(album);
    for (size_t i = 0; i < faces->photos.count; i++) {
        char person[32], path[32];
        snprintf(person, sizeof person, "person %u", faces->people[i]);
        snprintf(path, sizeof path, "%zu.jpg", i);
        assert_int_equal(album_add(album, person, path, &err), 0);
        struct album_photo *photo = &album->photos[i];
        photo->state = ALBUM_FACE;
        photo->similar = 1;
        memcpy(photo->digest, &i, sizeof i);
        photo->face.quality = (struct face_quality){.eye_distance_px = 60, .brightness = 120};
        memcpy(photo->face.embedding, faces->embeddings + i * ROW_VALUES,
               sizeof photo->face.embedding);
    }
}

/* From photos to a gallery that keeps its head, is searched through it, and takes somebody more. */
static void training_keeps_the_head_in_the_gallery(void **state)
{
    (void)state;
    struct err err = {0};
    struct head_trial trial = {0};
    struct train_summary summary;
    struct head_options head = head_defaults;
    struct train_options options = {.context = &trial, .head = &head, .tried = keep_trial};
    struct album album;
    struct match match;
    struct search_trials without = {0}, with = {0};
    struct faces faces = make_faces(160, 0.4, 7), later = make_faces(1, 0.4, 8);
    head.learning_rate = 2e-3;
    fill_album(&album, &faces);
    struct gallery *gallery = gallery_create(&err);
    assert_int_equal(train_album(gallery, &album, &options, &summary, &err), 0);
    assert_true(trial.kept);
    assert_non_null(gallery_head(gallery));
    assert_true(gallery_threshold(gallery) == trial.threshold);
    assert_int_equal(gallery_add(gallery, "later", later.embeddings, &err), 0);
    assert_int_equal(gallery_match(gallery, later.embeddings, &match), 1);
    assert_string_equal(match.name, "later");
    assert_true(match.similarity > 0.999f);
    assert_int_equal(search_trials_add_enrolled(&with, gallery, &err), 0);
    gallery_destroy(gallery);
    gallery = gallery_create(&err);
    options.head = NULL;
    assert_int_equal(train_album(gallery, &album, &options, &summary, &err), 0);
    assert_null(gallery_head(gallery));
    assert_int_equal(search_trials_add_enrolled(&without, gallery, &err), 0);
    double misses[2] = {1 - search_rank1(&without).value, 1 - search_rank1(&with).value};
    if (!(misses[1] < 0.7 * misses[0]))
        fail_msg("misses: %.4f without, %.4f with the head", misses[0], misses[1]);
    search_trials_finish(&without);
    search_trials_finish(&with);
    gallery_destroy(gallery);
    album_finish(&album);
    drop_faces(&faces);
    drop_faces(&later);
}

struct course {
    double losses[100];
    long epochs;
};

static void take_progress(void *context, const struct head_progress *progress)
{
    struct course *course = context;
    assert_int_equal(progress->epoch, course->epochs + 1);
    course->losses[course->epochs++] = progress->loss;
}

static void the_loss_falls_and_each_epoch_is_told(void **state)
{
    (void)state;
    struct err err = {0};
    struct course course = {0};
    struct head_options options = head_defaults;
    struct faces faces = make_faces(50, 0.5, 4);
    options.epochs = 8;
    options.progress = take_progress;
    options.context = &course;
    struct head *head = head_train(&faces.photos, &options, &err);
    assert_non_null(head);
    assert_int_equal(course.epochs, 8);
    assert_true(course.losses[7] < 0.7 * course.losses[0]);
    head_destroy(head);
    drop_faces(&faces);
}

static void the_same_seed_gives_the_same_head_at_any_number_of_threads(void **state)
{
    (void)state;
    struct err err = {0};
    struct faces faces = make_faces(37, 0.5, 5);
    struct head_options options = head_defaults;
    options.epochs = 3;
    options.batch_size = 50;
    options.threads = 1;
    struct head *first = head_train(&faces.photos, &options, &err);
    assert_non_null(first);
    for (size_t threads = 2; threads < 6; threads++) {
        options.threads = threads;
        struct head *other = head_train(&faces.photos, &options, &err);
        assert_non_null(other);
        assert_memory_equal(first, other, sizeof *first);
        head_destroy(other);
    }
    options.seed = 2;
    struct head *another = head_train(&faces.photos, &options, &err);
    assert_non_null(another);
    assert_memory_not_equal(first, another, sizeof *first);
    head_destroy(another);
    head_destroy(first);
    drop_faces(&faces);
}

/* D x by floats, against the bytes of the head. */
static void a_head_does_what_its_correction_says(void **state)
{
    (void)state;
    struct err err = {0};
    uint64_t random = 6;
    float *correction = malloc(sizeof(float) * ROW_VALUES * ROW_VALUES);
    float in[ROW_VALUES], out[ROW_VALUES], none[ROW_VALUES] = {0};
    double wanted[ROW_VALUES], square = 0;
    assert_non_null(correction);
    for (size_t i = 0; i < (size_t)ROW_VALUES * ROW_VALUES; i++)
        correction[i] = (float)(0.02 * random_normal(&random));
    make_photo(in, none, 1, &random);
    struct head *head = head_create(correction, &err);
    assert_non_null(head);
    head_apply(head, out, in);
    for (size_t i = 0; i < ROW_VALUES; i++) {
        wanted[i] = (double)in[i];
        for (size_t k = 0; k < ROW_VALUES; k++)
            wanted[i] += (double)correction[i * ROW_VALUES + k] * (double)in[k];
        square += wanted[i] * wanted[i];
    }
    for (size_t i = 0; i < ROW_VALUES; i++)
        assert_true(fabs(wanted[i] / sqrt(square) - (double)out[i]) < 2e-3);
    head_apply(head, in, in); /* in place */
    assert_memory_equal(in, out, sizeof in);
    head_destroy(head);
    free(correction);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_person_trains_nothing),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(a_learning_rate_that_blows_up_is_an_error_or_a_head),
        cmocka_unit_test(too_few_people_are_not_tried),
        cmocka_unit_test(nothing_to_learn_keeps_no_head),
        cmocka_unit_test(what_disturbs_everybody_is_learnt_and_the_head_kept),
        cmocka_unit_test(training_keeps_the_head_in_the_gallery),
        cmocka_unit_test(the_loss_falls_and_each_epoch_is_told),
        cmocka_unit_test(the_same_seed_gives_the_same_head_at_any_number_of_threads),
        cmocka_unit_test(a_head_does_what_its_correction_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
