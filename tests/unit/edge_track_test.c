#include "edge/shot.h"
#include "edge/track.h"
#include "edge/visits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- the ballot ---- */

static void one_sure_look_is_a_name(void **state)
{
    (void)state;
    struct ballot b;
    ballot_init(&b);
    assert_null(ballot_name(&b));
    assert_int_equal(ballot_vote(&b, "a", 0.7f), 1);
    assert_string_equal(ballot_name(&b), "a");
    assert_int_equal(ballot_vote(&b, "a", 0.9f), 0);
    assert_true(ballot_similarity(&b) == 0.9f);
}

static void an_unsure_look_wants_a_second_one(void **state)
{
    (void)state;
    struct ballot b;
    ballot_init(&b);
    assert_int_equal(ballot_vote(&b, "a", 0.52f), 0);
    assert_int_equal(ballot_vote(&b, NULL, 0.4f), 0);
    assert_int_equal(ballot_vote(&b, "a", 0.52f), 1);
}

static void three_looks_without_a_name_are_unknown_and_may_be_upgraded(void **state)
{
    (void)state;
    struct ballot b;
    ballot_init(&b);
    assert_int_equal(ballot_vote(&b, NULL, 0.3f), 0);
    assert_int_equal(ballot_vote(&b, NULL, 0.3f), 0);
    assert_int_equal(ballot_vote(&b, NULL, 0.3f), 1);
    assert_null(ballot_name(&b));
    assert_int_equal(ballot_vote(&b, "a", 0.55f), 0);
    assert_int_equal(ballot_vote(&b, "a", 0.65f), 1);
    for (int i = 0; i < 50; i++) /* and never back */
        assert_int_equal(ballot_vote(&b, NULL, 0.3f), 0);
    assert_string_equal(ballot_name(&b), "a");
}

static void two_names_in_turn_never_flap(void **state)
{
    (void)state;
    struct ballot b;
    int changes = 0;
    ballot_init(&b);
    for (int i = 0; i < 1000; i++)
        changes += ballot_vote(&b, i % 2 ? "b" : "a", 0.7f);
    assert_int_equal(changes, 1);
}

static void a_wrong_first_look_is_mended(void **state)
{
    (void)state;
    struct ballot b;
    int changes = 0;
    ballot_init(&b);
    assert_int_equal(ballot_vote(&b, "b", 0.61f), 1);
    for (int i = 0; i < 10; i++)
        changes += ballot_vote(&b, "a", 0.8f);
    assert_int_equal(changes, 1);
    assert_string_equal(ballot_name(&b), "a");
}

static void more_names_than_there_is_room_for(void **state)
{
    (void)state;
    struct ballot b;
    ballot_init(&b);
    assert_int_equal(ballot_vote(&b, "a", 0.9f), 1);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(ballot_vote(&b, name, 0.6f), 0);
    }
    assert_string_equal(ballot_name(&b), "a");
}

/* ---- the tracker ---- */

struct seen {
    int enters, names, leaves;
    struct track_event last;
};

static struct tracker *start(void)
{
    struct err err = {0};
    struct tracker *tracker = tracker_create(&(struct tracker_options){0}, &err);
    assert_non_null(tracker);
    return tracker;
}

static void drain(struct tracker *tracker, struct seen *seen)
{
    struct track_event event;
    while (tracker_event(tracker, &event)) {
        seen->enters += event.kind == TRACK_ENTER;
        seen->names += event.kind == TRACK_NAME;
        seen->leaves += event.kind == TRACK_LEAVE;
        seen->last = event;
    }
}

static uint64_t see(struct tracker *tracker, int64_t at_ms, float x, float y)
{
    const struct track_face face = {.box = {x, y, 100, 120}};
    uint64_t visit;
    tracker_update(tracker, at_ms, &face, 1, &visit);
    return visit;
}

static void see_nobody(struct tracker *tracker, int64_t at_ms)
{
    uint64_t none[1];
    tracker_update(tracker, at_ms, NULL, 0, none);
}

static void a_walk_is_one_visit_with_its_times(void **state)
{
    (void)state;
    struct tracker *tracker = start();
    struct seen seen = {0};
    for (int i = 0; i < 40; i++) /* 1.5 widths a second */
        assert_int_equal(see(tracker, 1000 + i * 100, 15.0f * (float)i, 100), 1);
    drain(tracker, &seen);
    assert_int_equal(seen.enters, 1);
    assert_int_equal(seen.last.at_ms, 1000);
    for (int i = 0; i < 30; i++)
        see_nobody(tracker, 5000 + i * 100);
    drain(tracker, &seen);
    assert_int_equal(seen.leaves, 1);
    assert_int_equal(seen.last.at_ms, 4900);
    assert_int_equal(seen.last.entered_ms, 1000);
    assert_int_equal(tracker_count(tracker), 0);
    tracker_destroy(tracker);
}

static void a_face_seen_once_makes_no_event(void **state)
{
    (void)state;
    struct tracker *tracker = start();
    struct seen seen = {0};
    see(tracker, 1000, 0, 0);
    see_nobody(tracker, 9000);
    drain(tracker, &seen);
    assert_int_equal(seen.enters + seen.names + seen.leaves, 0);
    tracker_destroy(tracker);
}

static void a_short_loss_is_bridged_by_the_speed(void **state)
{
    (void)state;
    struct tracker *tracker = start();
    for (int i = 0; i < 20; i++)
        see(tracker, i * 100, 20.0f * (float)i, 0);
    for (int i = 20; i < 25; i++)
        see_nobody(tracker, i * 100);
    assert_int_equal(see(tracker, 2500, 20.0f * 25, 0), 1);
    tracker_destroy(tracker);
}

static void two_that_cross_keep_their_visits(void **state)
{
    (void)state;
    struct tracker *tracker = start();
    uint64_t first[2] = {0}, visits[2];
    for (int i = 0; i < 50; i++) {
        const struct track_face faces[2] = {{.box = {10.0f * (float)i, 0, 60, 80}},
                                            {.box = {500 - 10.0f * (float)i, 40, 60, 80}}};
        tracker_update(tracker, i * 100, faces, 2, visits);
        if (i == 0)
            memcpy(first, visits, sizeof first);
        assert_int_not_equal(visits[0], visits[1]);
    }
    assert_int_equal(visits[0], first[0]);
    assert_int_equal(visits[1], first[1]);
    tracker_destroy(tracker);
}

static void a_jump_is_bridged_only_by_the_same_face(void **state)
{
    (void)state;
    struct tracker *tracker = start();
    float a[TRACK_EMBEDDING_FLOATS] = {1}, b[TRACK_EMBEDDING_FLOATS] = {0, 1};
    struct track_face face = {.box = {0, 0, 50, 50}, .embedding = a};
    uint64_t visit;
    tracker_update(tracker, 0, &face, 1, &visit);
    assert_int_equal(visit, 1);
    face.box[0] = 400;
    tracker_update(tracker, 100, &face, 1, &visit);
    assert_int_equal(visit, 1);
    face = (struct track_face){.box = {0, 0, 50, 50}, .embedding = b};
    tracker_update(tracker, 200, &face, 1, &visit);
    assert_int_equal(visit, 2);
    tracker_destroy(tracker);
}

static void a_name_comes_after_its_enter_and_once(void **state)
{
    (void)state;
    struct tracker *tracker = start();
    struct track_event event;
    struct seen seen = {0};
    uint64_t visit = see(tracker, 0, 0, 0);
    tracker_vote(tracker, visit, "person-a", 0.8f, 10);
    assert_int_equal(tracker_event(tracker, &event), 1);
    assert_int_equal(event.kind, TRACK_ENTER);
    for (int i = 1; i < 30; i++) {
        see(tracker, i * 100, 0, 0);
        tracker_vote(tracker, visit, i % 5 ? "person-a" : NULL, 0.8f, i * 100);
    }
    drain(tracker, &seen);
    assert_int_equal(seen.names, 1);
    assert_string_equal(seen.last.name, "person-a");
    tracker_end(tracker);
    drain(tracker, &seen);
    assert_int_equal(seen.leaves, 1);
    assert_true(seen.last.has_name);
    assert_int_equal(seen.last.looks, 30);
    tracker_destroy(tracker);
}

static void a_vote_for_a_visit_that_is_over_is_nothing(void **state)
{
    (void)state;
    struct tracker *tracker = start();
    struct seen seen = {0};
    uint64_t visit = see(tracker, 0, 0, 0);
    see_nobody(tracker, 10000);
    tracker_vote(tracker, visit, "a", 0.9f, 10001);
    tracker_vote(tracker, 0, "a", 0.9f, 10001);
    drain(tracker, &seen);
    assert_int_equal(seen.enters + seen.names, 0);
    tracker_destroy(tracker);
}

static void a_crowd_past_the_limit_has_no_visit(void **state)
{
    (void)state;
    struct tracker *tracker = start();
    struct track_face faces[TRACK_MAX + 4] = {0};
    uint64_t visits[TRACK_MAX + 4];
    for (int i = 0; i < TRACK_MAX + 4; i++)
        faces[i] = (struct track_face){.box = {200.0f * (float)i, 0, 50, 50}};
    for (int t = 0; t < 3; t++)
        tracker_update(tracker, t * 100, faces, TRACK_MAX + 4, visits);
    int without = 0;
    for (int i = 0; i < TRACK_MAX + 4; i++)
        without += visits[i] == 0;
    assert_int_equal(without, 4);
    assert_int_equal(tracker_count(tracker), TRACK_MAX);
    tracker_destroy(tracker);
}

/* ---- the best shot ---- */

static void keep_event(void *context, const struct track_event *event)
{
    *(struct track_event *)context = *event;
}

static void whoever_is_there_when_nobody_looks_any_more_has_left(void **state)
{
    (void)state;
    struct err err;
    uint64_t id;
    struct track_event last = {0};
    const struct track_face face = {.box = {10, 10, 50, 60}};
    struct visits *visits = visits_create(&(struct visits_listener){&last, keep_event}, &err);
    assert_non_null(visits);
    for (int64_t t = 1000; t <= 2000; t += 200)
        visits_see(visits, t, &face, 1, &id);
    assert_int_equal(last.kind, TRACK_ENTER);
    visits_pass_time(visits, 2000 + VISITS_SILENCE_MS);
    assert_int_equal(visits_going_on(visits), 1);
    visits_pass_time(visits, 2001 + VISITS_SILENCE_MS);
    assert_int_equal(visits_going_on(visits), 0);
    assert_int_equal(last.kind, TRACK_LEAVE);
    assert_int_equal(last.at_ms, 2000);
    visits_destroy(visits);
}

static void a_sharp_large_frontal_face_is_better(void **state)
{
    (void)state;
    struct face_quality good = {
        .eye_distance_px = 60, .blur_px = 0.5f, .brightness = 120, .contrast = 40};
    struct face_quality worse[5] = {good, good, good, good, good};
    worse[0].eye_distance_px = 20;
    worse[1].blur_px = 8;
    worse[2].yaw_deg = 60;
    worse[3].brightness = 10;
    worse[4].contrast = 3;
    for (int i = 0; i < 5; i++)
        assert_true(shot_quality(&worse[i], 1) < 0.8f * shot_quality(&good, 1));
    assert_true(shot_quality(&good, 1) > SHOT_GOOD);
    assert_true(shot_quality(&good, 0.5f) < shot_quality(&good, 1));
}

static void a_good_shot_goes_at_once_and_a_poor_one_waits_a_little(void **state)
{
    (void)state;
    struct shot shot;
    shot_begin(&shot, 1000);
    assert_int_equal(shot_due(&shot, 5000, 1), 0); /* there is none */
    assert_int_equal(shot_offer(&shot, 0.2f), 1);
    assert_int_equal(shot_due(&shot, 1100, 0), 0);
    assert_int_equal(shot_offer(&shot, 0.1f), 0);
    assert_int_equal(shot_due(&shot, 1000 + SHOT_FIRST_MS, 0), 1);
    assert_int_equal(shot_offer(&shot, 0.7f), 1);
    assert_int_equal(shot_due(&shot, 1100, 0), 1);
}

static void a_second_shot_must_be_much_better_and_later(void **state)
{
    (void)state;
    struct shot shot;
    shot_begin(&shot, 1000);
    assert_int_equal(shot_offer(&shot, 0.5f), 1);
    shot_sent(&shot, 1000);
    assert_int_equal(shot_offer(&shot, 0.6f), 0);
    assert_int_equal(shot_offer(&shot, 0.9f), 1);
    assert_int_equal(shot_due(&shot, 1500, 0), 0);
    assert_int_equal(shot_due(&shot, 1500, 1), 1); /* but not lost when the person leaves */
    assert_int_equal(shot_due(&shot, 1000 + SHOT_PAUSE_MS, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_sure_look_is_a_name),
        cmocka_unit_test(an_unsure_look_wants_a_second_one),
        cmocka_unit_test(three_looks_without_a_name_are_unknown_and_may_be_upgraded),
        cmocka_unit_test(two_names_in_turn_never_flap),
        cmocka_unit_test(a_wrong_first_look_is_mended),
        cmocka_unit_test(more_names_than_there_is_room_for),
        cmocka_unit_test(a_walk_is_one_visit_with_its_times),
        cmocka_unit_test(a_face_seen_once_makes_no_event),
        cmocka_unit_test(a_short_loss_is_bridged_by_the_speed),
        cmocka_unit_test(two_that_cross_keep_their_visits),
        cmocka_unit_test(a_jump_is_bridged_only_by_the_same_face),
        cmocka_unit_test(a_name_comes_after_its_enter_and_once),
        cmocka_unit_test(a_vote_for_a_visit_that_is_over_is_nothing),
        cmocka_unit_test(a_crowd_past_the_limit_has_no_visit),
        cmocka_unit_test(whoever_is_there_when_nobody_looks_any_more_has_left),
        cmocka_unit_test(a_sharp_large_frontal_face_is_better),
        cmocka_unit_test(a_good_shot_goes_at_once_and_a_poor_one_waits_a_little),
        cmocka_unit_test(a_second_shot_must_be_much_better_and_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
