#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stddef.h>

/* Patterns with wildcards. */
struct glob {
    char any; /* stands for any bytes, or none */
    char one; /* stands for one byte; 0: there is no such */
    int ignore_case;
};

/* Does all of the text match the pattern? Takes at most the product of both lengths. */
int glob_matches(const struct glob *glob, const char *pattern, const char *text, size_t size);

#endif
