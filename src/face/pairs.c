#include "face/pairs.h"
#include "base/file.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t max_file_bytes = (size_t)1 << 30;

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct line {
    char *a, *b, *same;
};

/* Cut one line at its tabs. Returns how many columns there are. */
static int split(char *text, struct line *line)
{
    char **columns[] = {&line->a, &line->b, &line->same};
    int count = 0;
    text[strcspn(text, "\r")] = 0;
    for (char *rest = text, *column; (column = strsep(&rest, "\t")); count++)
        if (count < 3)
            *columns[count] = column;
    return count;
}

static int is_label(const char *text)
{
    return (text[0] == '0' || text[0] == '1') && text[1] == 0;
}

/* One entry of `pairs` with the names for now kept in names[2i], names[2i + 1]. */
static int take_line(struct pair_list *list, const char **names, char *text, size_t number,
                     struct err *err)
{
    struct line line;
    int columns = split(text, &line);
    if (columns == 1 && !*text)
        return 0;
    if (columns != 3)
        return err_set(err, ERR_INVALID, "line %zu: %d columns, not 3 (image_a, image_b, same)",
                       number, columns);
    if (!is_label(line.same)) {
        if (number == 1)
            return 0; /* a heading */
        return err_set(err, ERR_INVALID, "line %zu: same is \"%.20s\", not 1 or 0", number,
                       line.same);
    }
    if (!*line.a || !*line.b)
        return err_set(err, ERR_INVALID, "line %zu: an image name is empty", number);
    names[2 * list->count] = line.a;
    names[2 * list->count + 1] = line.b;
    list->pairs[list->count++].same = *line.same == '1';
    return 0;
}

static size_t unique(const char **sorted, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(sorted[kept - 1], sorted[i]) != 0)
            sorted[kept++] = sorted[i];
    return kept;
}

static size_t index_of(const struct pair_list *list, const char *name)
{
    const char **found =
        bsearch(&name, list->photos, list->photo_count, sizeof *list->photos, compare_names);
    return (size_t)(found - list->photos);
}

/* Name each photo once and replace names by indexes. */
static int number_photos(struct pair_list *list, const char **names, struct err *err)
{
    size_t count = 2 * list->count;
    list->photos = calloc(count + 1, sizeof *list->photos);
    if (!list->photos)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu names", count);
    if (count)
        memcpy(list->photos, names, count * sizeof *names);
    qsort(list->photos, count, sizeof *list->photos, compare_names);
    list->photo_count = unique(list->photos, count);
    for (size_t i = 0; i < list->count; i++) {
        list->pairs[i].a = index_of(list, names[2 * i]);
        list->pairs[i].b = index_of(list, names[2 * i + 1]);
    }
    return 0;
}

static size_t count_lines(const struct buf *text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text->size; i++)
        lines += text->data[i] == '\n';
    return lines;
}

static int parse(struct pair_list *list, struct err *err)
{
    if (!list->text.data || memchr(list->text.data, 0, list->text.size))
        return err_set(err, ERR_INVALID, list->text.data ? "not a text file" : "it is empty");
    size_t lines = count_lines(&list->text), number = 0;
    if (lines > PAIRS_MAX + 2)
        return err_set(err, ERR_TOO_BIG, "%zu lines, more than %d", lines, PAIRS_MAX);
    const char **names = calloc(2 * lines, sizeof *names);
    list->pairs = calloc(lines, sizeof *list->pairs);
    int result = names && list->pairs ? 0 : err_set(err, ERR_NO_MEMORY, "no memory");
    for (char *rest = list->text.data, *text; result == 0 && (text = strsep(&rest, "\n"));)
        result = take_line(list, names, text, ++number, err);
    if (result == 0)
        result = list->count ? number_photos(list, names, err)
                             : err_set(err, ERR_INVALID, "no pairs in it");
    free(names);
    return result;
}

int pair_list_read(struct pair_list *list, const char *path, struct err *err)
{
    *list = (struct pair_list){0};
    buf_init(&list->text, max_file_bytes);
    if (file_read(path, &list->text, err) < 0) {
        pair_list_finish(list);
        return -1;
    }
    if (parse(list, err) == 0)
        return 0;
    pair_list_finish(list);
    return err_wrap(err, "read %s", path);
}

void pair_list_finish(struct pair_list *list)
{
    free(list->pairs);
    free(list->photos);
    buf_finish(&list->text);
    *list = (struct pair_list){0};
}

/* Failed pairs first, out of the way; the rest by similarity. */
static int compare_scores(const void *a, const void *b)
{
    const struct pair_score *first = a, *second = b;
    if (first->failed != second->failed)
        return second->failed - first->failed;
    return (first->similarity > second->similarity) - (first->similarity < second->similarity);
}

/* Dealt out in turn, same and different pairs apart, so that every fold has as many of each. */
static void deal_folds(struct pair_score *scores, size_t count)
{
    size_t dealt[2] = {0};
    for (size_t i = 0; i < count; i++)
        scores[i].fold = (int)(dealt[!!scores[i].same]++ % PAIRS_FOLDS);
}

struct sweep {
    const struct pair_score *scores; /* sorted */
    size_t count;
};

/* The threshold that is right most often outside `fold`: half-way between two scores of there. */
static float best_threshold(const struct sweep *sweep, int fold)
{
    long right = 0, best = LONG_MIN;
    const struct pair_score *below = NULL, *above = NULL;
    /* Start with everything accepted and move the threshold up past one score after the other. */
    for (size_t i = 0; i < sweep->count; i++) {
        const struct pair_score *score = &sweep->scores[i];
        if (score->failed || score->fold == fold)
            continue;
        if (below && !above)
            above = score;
        right += score->same ? -1 : 1;
        if (right > best) {
            best = right;
            below = score;
            above = NULL;
        }
    }
    if (!below)
        return 0; /* every pair failed: no threshold makes any right */
    return above ? (below->similarity + above->similarity) / 2 : below->similarity;
}

static double fold_accuracy(const struct sweep *sweep, int fold, float threshold)
{
    size_t right = 0, all = 0;
    for (size_t i = 0; i < sweep->count; i++) {
        if (sweep->scores[i].fold != fold)
            continue;
        const struct pair_score *score = &sweep->scores[i];
        all++;
        right += !score->failed && (score->similarity > threshold) == !!score->same;
    }
    return (double)right / (double)all;
}

/* Part of the same pairs above the score that `far` of the different pairs pass. */
static double tar_at(const struct sweep *sweep, size_t same, size_t different, double far)
{
    size_t allowed = (size_t)floor(far * (double)different + 1e-9), passed = 0, accepted = 0;
    for (size_t i = sweep->count; i-- > 0 && !sweep->scores[i].failed;) {
        if (sweep->scores[i].same)
            accepted++;
        else if (passed++ == allowed)
            break;
    }
    return (double)accepted / (double)same;
}

int pairs_evaluate(struct pair_score *scores, size_t count, struct pair_result *result,
                   struct err *err)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++)
        same += !!scores[i].same;
    if (same < PAIRS_FOLDS || count - same < PAIRS_FOLDS)
        return err_set(err, ERR_INVALID,
                       "%zu same and %zu different pairs: cross-validation needs %d of each", same,
                       count - same, PAIRS_FOLDS);
    deal_folds(scores, count);
    qsort(scores, count, sizeof *scores, compare_scores);
    struct sweep sweep = {scores, count};
    *result = (struct pair_result){0};
    for (int fold = 0; fold < PAIRS_FOLDS; fold++) {
        float threshold = best_threshold(&sweep, fold);
        result->threshold += threshold / PAIRS_FOLDS;
        result->accuracy += fold_accuracy(&sweep, fold, threshold) / PAIRS_FOLDS;
    }
    result->tar_at_far_1e2 = tar_at(&sweep, same, count - same, 0.01);
    result->tar_at_far_1e3 = tar_at(&sweep, same, count - same, 0.001);
    return 0;
}
