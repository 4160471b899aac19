#include "cli/nearest.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LETTERS = 40 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to be put in, left out, changed, or swapped with the next one: optimal string alignment.
 */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][MAX_LETTERS + 1]; /* of the table of distances; row i is rows[i % 3] */
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *here = rows[i % 3], *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        here[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            here[j] =
                least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], here[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                here[j] = least(here[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void nearest_init(struct nearest *nearest, const char *typed, size_t length)
{
    /* a third of the letters may be wrong, at least one, but not all */
    size_t tolerance = length < 6 ? 1 : length / 3;
    *nearest = (struct nearest){
        .typed = typed, .length = length, .distance = length > 1 ? tolerance + 1 : 0};
}

void nearest_offer(struct nearest *nearest, const char *word)
{
    size_t length = strlen(word);
    if (nearest->length > MAX_LETTERS || length > MAX_LETTERS)
        return;
    size_t far = strncmp(word, nearest->typed, nearest->length) == 0
                     ? 0 /* its beginning, and another's */
                     : distance(nearest->typed, nearest->length, word, length);
    if (far >= nearest->distance)
        return;
    nearest->distance = far;
    nearest->word = word;
}

void nearest_hint(const struct nearest *nearest, const char *dashes, char hint[NEAREST_HINT_BYTES])
{
    hint[0] = 0;
    if (nearest->word)
        snprintf(hint, NEAREST_HINT_BYTES, "; is it %s%s?", dashes, nearest->word);
}
