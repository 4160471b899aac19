#include "cloud/logs/filter.h"

#include <string.h>

/* A quoted phrase from the opening quote on, with \" and \\; returns what is behind it, or NULL. */
static const char *read_phrase(const char *at, char *out, size_t *size)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
            at++;
        out[(*size)++] = *at;
    }
    return *at ? at + 1 : NULL;
}

int filter_parse(const char *pattern, struct filter *out, struct arena *arena, struct err *err)
{
    size_t length = strlen(pattern);
    const char *at = pattern + strspn(pattern, " \t");
    if (length > FILTER_MAX_BYTES)
        return err_set(err, ERR_INVALID, "filterPattern has more than 1024 characters.");
    if (*at == '{' || *at == '[' || *at == '%')
        return err_set(err, ERR_INVALID,
                       "ken takes filter patterns of plain text, no { } or [ ] or %%regex%%.");
    *out = (struct filter){.terms = arena_new(arena, struct filter_term, length / 2 + 1)};
    char *text = arena_alloc(arena, length + 1, 1);
    if (!out->terms || !text)
        return err_set(err, ERR_NO_MEMORY, "read the filter pattern: out of memory");
    while (*at) {
        struct filter_term *term = &out->terms[out->count];
        term->kind = ' ';
        if ((*at == '?' || *at == '-') && at[1] && at[1] != ' ')
            term->kind = *at++;
        term->text = text;
        if (*at == '"') {
            at = read_phrase(at, text, &term->size);
            if (!at)
                return err_set(err, ERR_INVALID, "Invalid filter pattern: a quote is not closed.");
        } else {
            term->size = strcspn(at, " \t");
            memcpy(text, at, term->size);
            at += term->size;
        }
        text += term->size;
        out->count += term->size > 0;
        at += strspn(at, " \t");
    }
    return 0;
}

int filter_matches(const struct filter *filter, const char *text, size_t size)
{
    int wanted = 0, seen = 0;
    for (size_t i = 0; i < filter->count; i++) {
        const struct filter_term *term = &filter->terms[i];
        int found = size && memmem(text, size, term->text, term->size) != NULL;
        if ((term->kind == ' ' && !found) || (term->kind == '-' && found))
            return 0;
        wanted |= term->kind == '?';
        seen |= term->kind == '?' && found;
    }
    return !wanted || seen;
}
