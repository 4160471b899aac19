#include "base/glob.h"
#include "cloud/iam/policy.h"

#include <string.h>
#include <strings.h>

/* Wildcards inside a pattern that has been filled in; a letter of its own keeps a '*' that came
 * from a variable's value a plain '*'. No policy has these bytes, which are no UTF-8; a value that
 * has them fills in nothing. */
enum { ANY = '\xff', ONE = '\xfe' };

struct filled {
    char text[POLICY_MAX_TEXT_BYTES];
    size_t size;
    int plain; /* '*' and '?' of the pattern are letters too */
    int wrong; /* too long, an absent variable, or a byte that may not be */
};

static void put(struct filled *f, const char *text, size_t size)
{
    if (size >= sizeof f->text - f->size) {
        f->wrong = 1;
        return;
    }
    memcpy(f->text + f->size, text, size);
    f->text[f->size += size] = 0;
}

static int has_wildcard_bytes(const char *text)
{
    return text[strcspn(text, "\xff\xfe")] != 0;
}

static void put_letter(struct filled *f, char letter)
{
    if (!f->plain && letter == '*')
        letter = ANY;
    else if (!f->plain && letter == '?')
        letter = ONE;
    put(f, &letter, 1);
}

/* "${aws:username}", "${aws:username, 'nobody'}", "${*}". Returns what follows the brace. */
static const char *put_variable(struct filled *f, const char *at,
                                const struct policy_request *request)
{
    char name[129];
    size_t length = strcspn(at + 2, "}"), key = strcspn(at + 2, ",}");
    const char *end = at + 2 + length;
    if (!*end || key >= sizeof name) {
        f->wrong = 1;
        return end;
    }
    memcpy(name, at + 2, key);
    name[key] = 0;
    if (key == 1 && strchr("*?$", *name)) {
        put(f, name, 1);
        return end + 1;
    }
    const char *value = request->value(request->context, name, 0);
    const char *quote = memchr(at + 2, '\'', length);
    const char *last = quote ? memchr(quote + 1, '\'', (size_t)(end - quote - 1)) : NULL;
    if (value && !has_wildcard_bytes(value))
        put(f, value, strlen(value));
    else if (last && !value)
        put(f, quote + 1, (size_t)(last - quote - 1));
    else
        f->wrong = 1;
    return end + 1;
}

static int fill(struct filled *f, const char *pattern, const struct policy_request *request)
{
    f->size = 0;
    f->text[0] = 0;
    f->wrong = has_wildcard_bytes(pattern);
    while (*pattern && !f->wrong) {
        if (request && request->fills_variables && pattern[0] == '$' && pattern[1] == '{')
            pattern = put_variable(f, pattern, request);
        else
            put_letter(f, *pattern++);
    }
    return f->wrong ? -1 : 0;
}

int policy_matches_filled(const char *pattern, const char *text, int ignore_case,
                          const struct policy_request *request)
{
    const struct glob glob = {ANY, ONE, ignore_case};
    struct filled f = {.plain = 0};
    return fill(&f, pattern, request) == 0 && glob_matches(&glob, f.text, text, strlen(text));
}

int policy_equals_filled(const char *pattern, const char *text, int ignore_case,
                         const struct policy_request *request)
{
    struct filled f = {.plain = 1};
    return fill(&f, pattern, request) == 0 &&
           (ignore_case ? strcasecmp(f.text, text) : strcmp(f.text, text)) == 0;
}

int policy_matches(const char *pattern, const char *text, int ignore_case)
{
    return policy_matches_filled(pattern, text, ignore_case, NULL);
}
