#include "face/detection.h"
#include "base/file.h"
#include "face/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 6, MAX_FILE_BYTES = 128 * 1024 * 1024 };
static const float least_overlap = 0.5f;
static const double precision_wanted = 0.95;

static int by_image(const void *a, const void *b)
{
    const struct true_face *first = a, *second = b;
    return strcmp(first->image, second->image);
}

static int read_box(float box[4], char **columns)
{
    for (int i = 0; i < 4; i++) {
        char *end;
        box[i] = strtof(columns[i], &end);
        if (end == columns[i] || *end || !isfinite(box[i]) || fabsf(box[i]) > 1e6f)
            return -1;
    }
    return 0;
}

static int take_line(struct true_faces *list, char *line, size_t number, struct err *err)
{
    char *columns[COLUMNS] = {0}, *rest = line;
    line[strcspn(line, "\r")] = 0;
    if (!*line)
        return 0;
    int count = 0;
    for (char *column; (column = strsep(&rest, "\t"));)
        if (count++ < COLUMNS)
            columns[count - 1] = column;
    if (count != COLUMNS)
        return err_set(err, ERR_INVALID, "line %zu: %d columns, not image, x, y, w, h, ignore",
                       number, count);
    int ignore = strcmp(columns[5], "1") == 0;
    if (!ignore && strcmp(columns[5], "0") != 0)
        return number == 1
                   ? 0
                   : err_set(err, ERR_INVALID, "line %zu: ignore is neither 0 nor 1", number);
    struct true_face *face = &list->faces[list->count];
    *face = (struct true_face){.image = columns[0], .ignore = ignore};
    if (!*columns[0] || read_box(face->box, columns + 1) < 0)
        return err_set(err, ERR_INVALID, "line %zu: no image and box", number);
    list->count++;
    list->wanted += !ignore;
    return 0;
}

static int parse(struct true_faces *list, struct err *err)
{
    if (!list->text.data || memchr(list->text.data, 0, list->text.size))
        return err_set(err, ERR_INVALID, list->text.data ? "not a text file" : "it is empty");
    size_t lines = 1, number = 0;
    for (size_t i = 0; i < list->text.size; i++)
        lines += list->text.data[i] == '\n';
    if (lines > DETECTION_MAX_FACES + 2)
        return err_set(err, ERR_TOO_BIG, "%zu lines, more than %d", lines, DETECTION_MAX_FACES);
    list->faces = calloc(lines, sizeof *list->faces);
    if (!list->faces)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu faces", lines);
    for (char *rest = list->text.data, *line; (line = strsep(&rest, "\n"));)
        if (take_line(list, line, ++number, err) < 0)
            return -1;
    if (!list->wanted)
        return err_set(err, ERR_INVALID, "no face in it that is wanted");
    qsort(list->faces, list->count, sizeof *list->faces, by_image);
    return 0;
}

int true_faces_read(struct true_faces *list, const char *path, struct err *err)
{
    *list = (struct true_faces){0};
    buf_init(&list->text, MAX_FILE_BYTES);
    if (file_read(path, &list->text, err) == 0 && parse(list, err) == 0)
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

static struct face_box corners(const float box[4])
{
    return (struct face_box){box[0], box[1], box[0] + box[2], box[1] + box[3], 0};
}

static int by_score(const void *a, const void *b)
{
    const struct detection *first = a, *second = b;
    return (first->score < second->score) - (first->score > second->score);
}

/* The face that overlaps most among those of the kind, free ones only; NULL below the least. */
static struct true_face *find_face(struct true_face *faces, size_t count,
                                   const struct detection *detection, int ignore)
{
    struct face_box box = corners(detection->box);
    struct true_face *best = NULL;
    float most = 0;
    for (size_t i = 0; i < count; i++) {
        struct face_box other = corners(faces[i].box);
        float overlap = face_box_overlap(&box, &other);
        if (faces[i].ignore == ignore && !faces[i].found && overlap >= least_overlap &&
            overlap > most) {
            best = &faces[i];
            most = overlap;
        }
    }
    return best;
}

void detection_judge(struct true_face *faces, size_t face_count, struct detection *found,
                     size_t found_count)
{
    qsort(found, found_count, sizeof *found, by_score);
    for (size_t i = 0; i < found_count; i++) {
        struct true_face *face = find_face(faces, face_count, &found[i], 0);
        if (face)
            face->found = 1;
        found[i].hit = face ? 1 : find_face(faces, face_count, &found[i], 1) ? -1 : 0;
    }
}

static size_t drop_ignored(struct detection *found, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (found[i].hit >= 0)
            found[kept++] = found[i];
    return kept;
}

void detection_evaluate(struct detection *found, size_t count, size_t wanted,
                        struct detection_result *result)
{
    *result = (struct detection_result){.threshold = 1};
    count = drop_ignored(found, count);
    qsort(found, count, sizeof *found, by_score);
    size_t hits = 0;
    for (size_t i = 0; i < count; i++)
        hits += found[i].hit == 1;
    result->recall = (double)hits / (double)wanted;
    /* From the end: the best precision from each hit on. */
    double best = 0;
    for (size_t i = count; i-- > 0;) {
        double precision = (double)hits / (double)(i + 1);
        int whole_score = i + 1 == count || found[i + 1].score < found[i].score;
        if (whole_score && precision > best)
            best = precision;
        if (whole_score && precision >= precision_wanted && result->recall_at_95 == 0) {
            result->recall_at_95 = (double)hits / (double)wanted;
            result->threshold = (double)found[i].score;
        }
        if (found[i].hit == 1) {
            result->average_precision += best / (double)wanted;
            hits--;
        }
    }
}
