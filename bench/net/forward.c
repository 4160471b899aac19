/* A network line between two network namespaces, for kernels without `tc netem`: two TUN devices
 * and this program between them, which delays, limits and drops packets in each direction.
 *
 * usage: forward --ready-file FILE [--delay-ms 20] [--rate-mbit 20] [--loss-percent 1]
 *                [--queue-ms 100] [--seed 1]
 *
 * Delay and loss are of one direction and hold in both. When all is ready, FILE says
 *   {"device": PATH, "cloud": PATH, "device_address": "10.213.0.1", "cloud_address": "10.213.0.2"}
 * and a program goes into one of the two by `nsenter --net=PATH PROGRAM`. The namespaces have no
 * names: they are gone with the last process that uses them, however it ended, so there is nothing
 * to clean up. SIGTERM ends it, and it prints what went over the line.
 *
 * Exits with 77 (skipped) where the machine has no TUN devices or gives no namespaces. */
#include "base/clock.h"
#include "base/file.h"
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { SKIPPED = 77, SIDES = 2, BURST = 64 };

#define DEVICE_ADDRESS "10.213.0.1"
#define CLOUD_ADDRESS "10.213.0.2"

struct side {
    int tun;           /* packets of this namespace's device */
    int space;         /* the namespace */
    struct link *link; /* from here to the other side */
};

/* -- namespaces and devices -- */

static void name_device(struct ifreq *request, const char *name)
{
    *request = (struct ifreq){0};
    snprintf(request->ifr_name, sizeof request->ifr_name, "%s", name);
}

static int set_address(int sock, unsigned long what, const char *address, struct err *err)
{
    struct ifreq request;
    name_device(&request, "ken0");
    struct sockaddr_in in = {.sin_family = AF_INET};
    inet_pton(AF_INET, address, &in.sin_addr);
    memcpy(&request.ifr_addr, &in, sizeof in);
    return ioctl(sock, what, &request) < 0 ? err_set_errno(err, "set address %s", address) : 0;
}

static int bring_up(int sock, const char *name, struct err *err)
{
    struct ifreq request;
    name_device(&request, name);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    return ioctl(sock, SIOCSIFFLAGS, &request) < 0 ? err_set_errno(err, "bring up %s", name) : 0;
}

static int configure(const char *address, struct err *err)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return err_set_errno(err, "make socket");
    int done = bring_up(sock, "lo", err) < 0 || set_address(sock, SIOCSIFADDR, address, err) < 0 ||
               set_address(sock, SIOCSIFNETMASK, "255.255.255.0", err) < 0 ||
               bring_up(sock, "ken0", err) < 0;
    close(sock);
    return done ? -1 : 0;
}

/* A new namespace with a TUN device "ken0"; this process stays inside. */
static int open_side(struct side *side, const char *address, struct err *err)
{
    struct ifreq request;
    if (unshare(CLONE_NEWNET) < 0)
        return err_set_errno(err, "make a network namespace");
    side->space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    side->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (side->space < 0 || side->tun < 0)
        return err_set_errno(err, "open %s", side->space < 0 ? "namespace" : "/dev/net/tun");
    name_device(&request, "ken0");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(side->tun, TUNSETIFF, &request) < 0)
        return err_set_errno(err, "make a TUN device");
    return configure(address, err);
}

/* -- forwarding -- */

static void receive(struct side *side)
{
    unsigned char packet[LINK_MAX_PACKET_BYTES + 1];
    for (int i = 0; i < BURST; i++) {
        ssize_t size = read(side->tun, packet, sizeof packet);
        if (size <= 0)
            return;
        link_put(side->link, packet, (size_t)size, clock_monotonic_ns());
    }
}

static void deliver(struct side *from, const struct side *to)
{
    size_t size;
    const void *packet;
    while ((packet = link_take(from->link, clock_monotonic_ns(), &size)))
        if (write(to->tun, packet, size) < 0 && errno != EAGAIN && errno != EINVAL)
            return;
}

static struct timespec until_next(const struct side *sides)
{
    uint64_t now = clock_monotonic_ns(), wait = 1000000000;
    for (int i = 0; i < SIDES; i++) {
        uint64_t next = link_next_ns(sides[i].link);
        if (next <= now)
            wait = 0;
        else if (next - now < wait)
            wait = next - now;
    }
    return (struct timespec){.tv_sec = (time_t)(wait / 1000000000),
                             .tv_nsec = (long)(wait % 1000000000)};
}

/* Until a signal comes. */
static void forward(struct side *sides, int signals)
{
    struct pollfd polled[] = {
        {sides[0].tun, POLLIN, 0}, {sides[1].tun, POLLIN, 0}, {signals, POLLIN, 0}};
    for (;;) {
        struct timespec wait = until_next(sides);
        if (ppoll(polled, 3, &wait, NULL) < 0 && errno != EINTR)
            return;
        if (polled[2].revents)
            return;
        for (int i = 0; i < SIDES; i++) {
            if (polled[i].revents & POLLIN)
                receive(&sides[i]);
            deliver(&sides[i], &sides[1 - i]);
        }
    }
}

/* -- program -- */

static int take_number(const char *text, double *out, struct err *err)
{
    char *end;
    *out = strtod(text, &end);
    return *text && !*end ? 0 : err_set(err, ERR_INVALID, "%.100s: not a number", text);
}

static int read_options(int argc, char **argv, struct link_options *options, const char **ready,
                        struct err *err)
{
    static const struct option known[] = {{"ready-file", required_argument, NULL, 'f'},
                                          {"delay-ms", required_argument, NULL, 'd'},
                                          {"rate-mbit", required_argument, NULL, 'r'},
                                          {"loss-percent", required_argument, NULL, 'l'},
                                          {"queue-ms", required_argument, NULL, 'q'},
                                          {"seed", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    double seed = 1;
    *options = (struct link_options){.queue_ms = 100};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        double *number = option == 'd'   ? &options->delay_ms
                         : option == 'r' ? &options->rate_mbit
                         : option == 'l' ? &options->loss_percent
                         : option == 'q' ? &options->queue_ms
                                         : &seed;
        if (option == '?')
            return err_set(err, ERR_INVALID,
                           "wrong option; the start of bench/net/forward.c "
                           "says which there are");
        if (option == 'f')
            *ready = optarg;
        else if (take_number(optarg, number, err) < 0)
            return -1;
    }
    options->seed = (uint64_t)seed;
    if (optind < argc || !*ready)
        return err_set(err, ERR_INVALID, "usage: forward --ready-file FILE [OPTION...]");
    return 0;
}

static int say_ready(const struct side *sides, const char *path, struct err *err)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text,
               "{\"device\": \"/proc/%d/fd/%d\", \"cloud\": \"/proc/%d/fd/%d\", "
               "\"device_address\": \"" DEVICE_ADDRESS "\", \"cloud_address\": \"" CLOUD_ADDRESS
               "\"}\n",
               getpid(), sides[0].space, getpid(), sides[1].space);
    int done = file_write(path, text.data, text.size, 0600, err);
    buf_finish(&text);
    return done;
}

static void print_counts(const struct side *sides)
{
    static const char *const names[SIDES] = {"device_to_cloud", "cloud_to_device"};
    for (int i = 0; i < SIDES; i++) {
        struct link_counts counts = link_counts(sides[i].link);
        printf("%s\"%s\": {\"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"lost\": %" PRIu64
               ", \"overflowed\": %" PRIu64 "}%s",
               i ? ", " : "{", names[i], counts.packets, counts.bytes, counts.lost,
               counts.overflowed, i ? "}\n" : "");
    }
}

static int catch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* A network does not wait for the machine's other work: real-time priority where it is given. */
static void hurry(void)
{
    struct sched_param priority = {.sched_priority = 5};
    (void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority);
    prctl(PR_SET_TIMERSLACK, 1ul);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* never outlives who started it */
}

static int report(const struct err *err, int status)
{
    fprintf(stderr, "forward: %s\n", err->message);
    return status;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct link_options options;
    struct side sides[SIDES] = {{.tun = -1, .space = -1}, {.tun = -1, .space = -1}};
    const char *ready = NULL;
    if (read_options(argc, argv, &options, &ready, &err) < 0)
        return report(&err, 2);
    for (int i = 0; i < SIDES; i++, options.seed++)
        if (!(sides[i].link = link_create(&options, &err)))
            return report(&err, 2);
    int signals = catch_signals();
    if (open_side(&sides[0], DEVICE_ADDRESS, &err) < 0 ||
        open_side(&sides[1], CLOUD_ADDRESS, &err) < 0)
        return report(&err, SKIPPED);
    hurry();
    if (say_ready(sides, ready, &err) < 0)
        return report(&err, EXIT_FAILURE);
    forward(sides, signals);
    print_counts(sides);
    for (int i = 0; i < SIDES; i++)
        link_destroy(sides[i].link);
    return EXIT_SUCCESS;
}
