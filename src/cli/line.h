#ifndef CLI_LINE_H
#define CLI_LINE_H

#include <stdio.h>

/* One line for people, and its end. Files and folders may have any name: what a terminal would take
 * for a command (control characters, also those of Unicode that turn the direction of writing) and
 * bytes that are no UTF-8 are shown as \x1b. */
__attribute__((format(printf, 2, 3))) void line_print(FILE *out, const char *format, ...);

#endif
