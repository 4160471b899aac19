#include "base/clock.h"
#include "cloud/front_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { CLIENTS = 24, LIMIT = 10, PATIENCE_MS = 20000 };

struct served {
    struct front front;
    struct door *door;
    int clients[CLIENTS];
};

static int setup(void **state)
{
    struct served *served = calloc(1, sizeof *served);
    struct err err = {0};
    assert_non_null(served);
    served->front.doors[PUBLIC_DOOR] = served->front.doors[INNER_DOOR] = DOOR_NONE;
    served->door = &served->front.doors[PUBLIC_DOOR];
    for (int i = 0; i < CLIENTS; i++)
        served->clients[i] = -1;
    assert_int_equal(door_open(served->door, "127.0.0.1:0", NULL, &err), 0);
    assert_int_equal(door_prepare(served->door, &err), 0);
    *state = served;
    return 0;
}

static int teardown(void **state)
{
    struct served *served = *state;
    for (int i = 0; i < CLIENTS; i++)
        if (served->clients[i] >= 0)
            close(served->clients[i]);
    door_destroy(served->door);
    free(served);
    return 0;
}

static void start(struct served *served)
{
    struct err err = {0};
    assert_int_equal(door_start(served->door, &served->front, &err), 0);
}

static int try_to_connect(const struct served *served)
{
    const char *port = strrchr(served->door->endpoint, ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void come(struct served *served, int from, int to)
{
    for (int i = from; i < to; i++) {
        served->clients[i] = try_to_connect(served);
        assert_true(served->clients[i] >= 0);
    }
}

static void leave(struct served *served, int from, int to)
{
    for (int i = from; i < to; i++) {
        close(served->clients[i]);
        served->clients[i] = -1;
    }
}

/* Until the lanes serve so many. */
static void await(const struct served *served, unsigned connections)
{
    uint64_t start = clock_monotonic_ns();
    while (watch_count(served->door->watch) != connections) {
        assert_true(clock_ms_since(start) < PATIENCE_MS);
        clock_sleep_until_ns(clock_monotonic_ns() + 1000000);
    }
}

static void assert_spread(const struct served *served)
{
    const struct door *door = served->door;
    unsigned least = UINT32_MAX, most = 0;
    for (unsigned i = 0; i < door->lane_count; i++) {
        unsigned load =
            MHD_get_daemon_info(door->lanes[i].daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
                ->num_connections;
        least = load < least ? load : least;
        most = load > most ? load : most;
    }
    assert_in_range(most - least, 0, 1);
}

static void lanes_share_those_that_come_together(void **state)
{
    struct served *served = *state;
    come(served, 0, CLIENTS); /* in the backlog, all there when the lanes start */
    start(served);
    await(served, CLIENTS);
    assert_spread(served);
}

static void who_comes_later_goes_to_the_emptier_lane(void **state)
{
    struct served *served = *state;
    start(served);
    come(served, 0, CLIENTS);
    await(served, CLIENTS);
    for (int i = 0; i < CLIENTS; i += 2) /* with two lanes, all of one of them */
        leave(served, i, i + 1);
    await(served, CLIENTS / 2);
    for (int i = 0; i < CLIENTS; i += 2)
        come(served, i, i + 1);
    await(served, CLIENTS);
    assert_spread(served);
}

static void above_the_limit_clients_wait_for_a_place(void **state)
{
    struct served *served = *state;
    served->door->limit = LIMIT;
    start(served);
    come(served, 0, CLIENTS);
    await(served, LIMIT);
    leave(served, 0, CLIENTS - 2); /* among them all that had a place */
    await(served, 2);
}

static void a_stopped_door_refuses(void **state)
{
    struct served *served = *state;
    start(served);
    come(served, 0, 2);
    await(served, 2);
    door_stop(served->door);
    assert_int_equal(try_to_connect(served), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_equal(watch_count(served->door->watch), 2); /* they may stay */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lanes_share_those_that_come_together, setup, teardown),
        cmocka_unit_test_setup_teardown(who_comes_later_goes_to_the_emptier_lane, setup, teardown),
        cmocka_unit_test_setup_teardown(above_the_limit_clients_wait_for_a_place, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_door_refuses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
