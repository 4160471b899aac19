#include "cloud/iam/place.h"

#include <string.h>

/* Past a string that begins at `at`. */
static const char *skip_string(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        at += *at == '\\' && at[1];
    return *at ? at + 1 : at;
}

/* The value of the outermost "Statement"; NULL: it is written with escapes. */
static const char *find_statements(const char *text)
{
    static const char key[] = "\"Statement\"";
    int depth = 0;
    for (const char *at = text; *at;) {
        if (depth == 1 && strncmp(at, key, sizeof key - 1) == 0) {
            const char *colon = at + sizeof key - 1;
            colon += strspn(colon, " \t\r\n");
            if (*colon == ':')
                return colon + 1;
        }
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        at = *at == '"' ? skip_string(at) : at + 1;
    }
    return NULL;
}

static struct policy_place place_of(const char *text, const char *at)
{
    struct policy_place place = {1, 1};
    for (; text < at; text++) {
        place.column = *text == '\n' ? 1 : place.column + 1;
        place.line += *text == '\n';
    }
    return place;
}

void policy_place(const char *text, size_t number, struct policy_place *start,
                  struct policy_place *end)
{
    const char *at = find_statements(text), *from;
    *start = *end = (struct policy_place){1, 1};
    if (!at)
        return;
    const char *first = at + strspn(at, " \t\r\n");
    from = at = *first == '[' ? first + 1 : at;
    for (int depth = 0; *at;) {
        if (depth == 0 && *at == ',') {
            from = at + 1;
            number--;
        }
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        at = *at == '"' ? skip_string(at) : at + 1;
        if (depth == 0 && at[-1] == '}' && number == 0)
            break;
    }
    *start = place_of(text, from);
    *end = place_of(text, at);
}
