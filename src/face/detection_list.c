#include "base/file.h"
#include "face/detection.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 6, MAX_FILE_BYTES = 128 * 1024 * 1024 };

/* A line of either list: image, x, y, w, h and a column that each has for itself. */
struct line {
    const char *image, *last;
    float box[4];
    size_t number;
};

/* Keeps the line; 1 where it is a heading (its last column makes no sense), -1 with `err`. */
typedef int take_line(void *list, const struct line *line, struct err *err);

static int read_number(float *out, const char *text)
{
    char *end;
    *out = strtof(text, &end);
    return end == text || *end || !isfinite(*out) || fabsf(*out) > 1e6f ? -1 : 0;
}

/* 0 for an empty line, 1 for one to keep, -1 with `err`. */
static int split_line(struct line *out, char *text, const char *last_name, struct err *err)
{
    char *columns[COLUMNS] = {0}, *rest = text;
    text[strcspn(text, "\r")] = 0;
    if (!*text)
        return 0;
    int count = 0, whole = 1;
    for (char *column; (column = strsep(&rest, "\t"));)
        if (count++ < COLUMNS)
            columns[count - 1] = column;
    if (count != COLUMNS)
        return err_set(err, ERR_INVALID, "line %zu: %d columns, not image, x, y, w, h, %s",
                       out->number, count, last_name);
    for (int i = 0; i < 4; i++)
        whole &= read_number(&out->box[i], columns[i + 1]) == 0;
    out->image = whole && *columns[0] ? columns[0] : NULL;
    out->last = columns[5];
    return 1;
}

static int read_lines(struct buf *text, const char *last_name, take_line *take, void *list,
                      struct err *err)
{
    struct line line = {0};
    for (char *rest = text->data, *start; (start = strsep(&rest, "\n"));) {
        line.number++;
        int kept = split_line(&line, start, last_name, err);
        if (kept < 0 || (kept && take(list, &line, err) < 0))
            return -1;
    }
    return 0;
}

/* Lines of the file, more than there are faces in it; 0 with `err`. */
static size_t load(struct buf *text, const char *path, struct err *err)
{
    buf_init(text, MAX_FILE_BYTES);
    if (file_read(path, text, err) < 0)
        return 0;
    if (!text->data || memchr(text->data, 0, text->size)) {
        err_set(err, ERR_INVALID, text->data ? "not a text file" : "it is empty");
        return 0;
    }
    size_t lines = 1;
    for (size_t i = 0; i < text->size; i++)
        lines += text->data[i] == '\n';
    if (lines <= DETECTION_MAX_FACES + 2)
        return lines;
    err_set(err, ERR_TOO_BIG, "%zu lines, more than %d", lines, DETECTION_MAX_FACES);
    return 0;
}

static int refuse_line(const struct line *line, const char *cause, struct err *err)
{
    return err_set(err, ERR_INVALID, "line %zu: %s", line->number, cause);
}

static int take_true(void *self, const struct line *line, struct err *err)
{
    struct true_faces *list = self;
    int ignore = strcmp(line->last, "1") == 0;
    if (!ignore && strcmp(line->last, "0") != 0)
        return line->number == 1 ? 0 : refuse_line(line, "ignore is neither 0 nor 1", err);
    if (!line->image)
        return refuse_line(line, "no image and box", err);
    struct true_face *face = &list->faces[list->count++];
    *face = (struct true_face){.image = line->image, .ignore = ignore};
    memcpy(face->box, line->box, sizeof face->box);
    list->wanted += !ignore;
    return 0;
}

static int take_found(void *self, const struct line *line, struct err *err)
{
    struct found_faces *list = self;
    float score;
    if (read_number(&score, line->last) < 0)
        return line->number == 1 ? 0 : refuse_line(line, "no score", err);
    if (!line->image)
        return refuse_line(line, "no image and box", err);
    struct found_face *face = &list->faces[list->count++];
    *face = (struct found_face){.image = line->image, .score = score};
    memcpy(face->box, line->box, sizeof face->box);
    return 0;
}

/* Both lists' faces begin with the image's name. */
_Static_assert(offsetof(struct true_face, image) == 0 && offsetof(struct found_face, image) == 0,
               "sorted by it");

static int by_image(const void *a, const void *b)
{
    const char *const *first = a, *const *second = b;
    return strcmp(*first, *second);
}

/* Room for a face of `size` bytes for each line; NULL with `err`. */
static void *load_for(struct buf *text, const char *path, size_t size, struct err *err)
{
    size_t lines = load(text, path, err);
    void *faces = lines ? calloc(lines, size) : NULL;
    if (lines && !faces)
        err_set(err, ERR_NO_MEMORY, "no memory for %zu faces", lines);
    return faces;
}

static int fill_true(struct true_faces *list, const char *path, struct err *err)
{
    list->faces = load_for(&list->text, path, sizeof *list->faces, err);
    if (!list->faces || read_lines(&list->text, "ignore", take_true, list, err) < 0)
        return -1;
    if (!list->wanted)
        return err_set(err, ERR_INVALID, "no face in it that is wanted");
    qsort(list->faces, list->count, sizeof *list->faces, by_image);
    return 0;
}

int true_faces_read(struct true_faces *list, const char *path, struct err *err)
{
    *list = (struct true_faces){0};
    if (fill_true(list, path, err) == 0)
        return 0;
    err_wrap(err, "read %s", path);
    true_faces_finish(list);
    return -1;
}

void true_faces_finish(struct true_faces *list)
{
    free(list->faces);
    buf_finish(&list->text);
    *list = (struct true_faces){0};
}

size_t true_faces_in_image(const struct true_faces *list, size_t first)
{
    size_t count = 0;
    while (first + count < list->count &&
           strcmp(list->faces[first].image, list->faces[first + count].image) == 0)
        count++;
    return count;
}

int found_faces_read(struct found_faces *list, const char *path, struct err *err)
{
    *list = (struct found_faces){0};
    list->faces = load_for(&list->text, path, sizeof *list->faces, err);
    if (!list->faces || read_lines(&list->text, "score", take_found, list, err) < 0) {
        err_wrap(err, "read %s", path);
        found_faces_finish(list);
        return -1;
    }
    qsort(list->faces, list->count, sizeof *list->faces, by_image);
    return 0;
}

void found_faces_finish(struct found_faces *list)
{
    free(list->faces);
    buf_finish(&list->text);
    *list = (struct found_faces){0};
}
