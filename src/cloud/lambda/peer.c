#include "cloud/lambda/peer.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

/* The kernel finds the one socket by its addresses: see sock_diag(7). */
static int ask(const struct sockaddr_in *theirs, const struct sockaddr_in *ours, uid_t *uid)
{
    struct question question = {
        .head = {.nlmsg_len = sizeof question,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = AF_INET,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = ~0U,
                 .id = {.idiag_sport = theirs->sin_port,
                        .idiag_dport = ours->sin_port,
                        .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}}};
    question.body.id.idiag_src[0] = theirs->sin_addr.s_addr;
    question.body.id.idiag_dst[0] = ours->sin_addr.s_addr;
    struct {
        struct nlmsghdr head;
        struct inet_diag_msg body;
        char more[1024];
    } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    ssize_t size = -1;
    if (fd >= 0 && send(fd, &question, sizeof question, 0) == sizeof question)
        size = recv(fd, &answer, sizeof answer, 0);
    if (fd >= 0)
        close(fd);
    if (size < (ssize_t)(sizeof answer.head + sizeof answer.body) ||
        answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return -1;
    *uid = answer.body.idiag_uid;
    return 0;
}

/* Kernels without sock_diag for TCP: a list of all connections, as text. */
static int look(const struct sockaddr_in *theirs, const struct sockaddr_in *ours, uid_t *uid)
{
    char line[512];
    unsigned address[2], port[2], owner;
    int found = 0;
    FILE *list = fopen("/proc/net/tcp", "re");
    while (list && !found && fgets(line, sizeof line, list))
        found = sscanf(line, "%*d: %x:%x %x:%x %*x %*x:%*x %*x:%*x %*x %u", &address[0], &port[0],
                       &address[1], &port[1], &owner) == 5 &&
                address[0] == theirs->sin_addr.s_addr && port[0] == ntohs(theirs->sin_port) &&
                address[1] == ours->sin_addr.s_addr && port[1] == ntohs(ours->sin_port);
    if (list)
        fclose(list);
    if (found)
        *uid = owner;
    return found ? 0 : -1;
}

int peer_uid(int fd, uid_t *uid)
{
    struct sockaddr_in theirs, ours;
    socklen_t size = sizeof theirs;
    if (getpeername(fd, (struct sockaddr *)&theirs, &size) < 0)
        return -1;
    size = sizeof ours;
    if (getsockname(fd, (struct sockaddr *)&ours, &size) < 0 || theirs.sin_family != AF_INET)
        return -1;
    return ask(&theirs, &ours, uid) == 0 ? 0 : look(&theirs, &ours, uid);
}
