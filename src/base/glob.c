#include "base/glob.h"

#include <ctype.h>

static int is_same(const struct glob *glob, char a, char b)
{
    return a && ((glob->one && a == glob->one) || a == b ||
                 (glob->ignore_case && tolower((unsigned char)a) == tolower((unsigned char)b)));
}

/* Goes back to the last `any` only. */
int glob_matches(const struct glob *glob, const char *pattern, const char *text, size_t size)
{
    const char *any = NULL, *retry = NULL, *end = text + size;
    while (text < end) {
        if (*pattern == glob->any) {
            any = pattern++;
            retry = text;
        } else if (is_same(glob, *pattern, *text)) {
            pattern++;
            text++;
        } else if (any) {
            pattern = any + 1;
            text = ++retry;
        } else {
            return 0;
        }
    }
    while (*pattern == glob->any)
        pattern++;
    return !*pattern;
}
