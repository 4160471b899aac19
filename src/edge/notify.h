#ifndef EDGE_NOTIFY_H
#define EDGE_NOTIFY_H

/* What systemd wants to know of a service of Type=notify: a datagram to $NOTIFY_SOCKET, without its
 * library. https://www.freedesktop.org/software/systemd/man/sd_notify.html */

/* "READY=1", "WATCHDOG=1", "STATUS=text"; lines may be joined by newlines. Returns 1 when it was
 * sent, 0 when nobody listens or it failed: a service goes on in either case. */
int notify_send(const char *text);

/* What to put in front of a line on standard error so that the journal knows how serious it is
 * (sd-daemon(3)): "<4>" and the like under systemd, else "". Levels as syslog's: 3 error, 4
 * warning, 6 information. */
const char *notify_prefix(int level);

#endif
