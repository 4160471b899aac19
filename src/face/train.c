#include "face/train.h"
#include "face/head_trial.h"
#include "face/rows.h"
#include "face/seal.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A folder's photos among all of the album, and what they have in common. */
struct folder {
    const char *name;
    size_t first, count;               /* photos of the album */
    size_t used;                       /* of them, so far */
    double sum[FACE_EMBEDDING_FLOATS]; /* of the used templates */
};

struct training {
    const struct album *album;
    struct train_verdict *verdicts; /* one a photo */
    struct folder *folders;
    size_t folder_count;
    float *means; /* folder_count x FACE_EMBEDDING_FLOATS: the direction of each sum */
};

static double length_of(const double *vector)
{
    double square = 0;
    for (int i = 0; i < FACE_EMBEDDING_FLOATS; i++)
        square += vector[i] * vector[i];
    return sqrt(square);
}

static void add_to(struct folder *folder, const float *embedding, int sign)
{
    for (int i = 0; i < FACE_EMBEDDING_FLOATS; i++)
        folder->sum[i] += sign * (double)embedding[i];
    folder->used += (size_t)sign; /* wraps around for -1, as it should */
}

/* Cosine to the mean direction of a folder's used photos; without the photo itself if it is one. */
static double similarity(const struct folder *folder, const float *embedding, int inside)
{
    double rest[FACE_EMBEDDING_FLOATS], product = 0;
    for (int i = 0; i < FACE_EMBEDDING_FLOATS; i++) {
        rest[i] = folder->sum[i] - (inside ? (double)embedding[i] : 0);
        product += rest[i] * (double)embedding[i];
    }
    double length = length_of(rest);
    return length > 0 ? product / length : -1;
}

static const float *template_of(const struct training *training, size_t photo)
{
    return training->album->photos[photo].face.embedding;
}

static int is_used(const struct training *training, size_t photo)
{
    return training->verdicts[photo].reason == TRAIN_USED;
}

static void update_means(struct training *training)
{
    for (size_t i = 0; i < training->folder_count; i++) {
        const struct folder *folder = &training->folders[i];
        double length = folder->used ? length_of(folder->sum) : 0;
        float *mean = training->means + i * FACE_EMBEDDING_FLOATS;
        for (int k = 0; k < FACE_EMBEDDING_FLOATS; k++)
            mean[k] = length > 0 ? (float)(folder->sum[k] / length) : 0;
    }
}

/* The person, not the photo's owner, whose photos are most like it; NULL for nobody at all. */
static const struct folder *find_other(const struct training *training, const struct folder *own,
                                       const float *embedding, float *best)
{
    const struct kernels *kernels = simd_kernels(simd_best());
    const struct folder *found = NULL;
    *best = -1;
    for (size_t i = 0; i < training->folder_count; i++) {
        const struct folder *folder = &training->folders[i];
        if (folder == own || folder->used == 0)
            continue;
        float value = kernels->dot_f32(embedding, training->means + i * FACE_EMBEDDING_FLOATS,
                                       FACE_EMBEDDING_FLOATS);
        if (value > *best) {
            *best = value;
            found = folder;
        }
    }
    return found;
}

static int by_digest(const void *a, const void *b)
{
    const struct album_photo *const *first = a, *const *second = b;
    int order = memcmp((*first)->digest, (*second)->digest, ALBUM_DIGEST_BYTES);
    return order ? order : (*first > *second) - (*first < *second);
}

static void judge_copy(struct training *training, const struct album_photo *first,
                       const struct album_photo *copy)
{
    struct train_verdict *of_first = &training->verdicts[first - training->album->photos];
    struct train_verdict *of_copy = &training->verdicts[copy - training->album->photos];
    if (of_copy->reason != TRAIN_USED)
        return;
    if (strcmp(first->person, copy->person) == 0) {
        train_refuse(of_copy, TRAIN_DUPLICATE, "the same file as %s", first->path);
        return;
    }
    train_refuse(of_copy, TRAIN_DUPLICATE, "the same file as %s, of another person: whose is it?",
                 first->path);
    if (of_first->reason == TRAIN_USED)
        train_refuse(of_first, TRAIN_DUPLICATE,
                     "the same file as %s, of another person: whose is it?", copy->path);
}

static int refuse_copies(struct training *training, struct err *err)
{
    const struct album *album = training->album;
    const struct album_photo **sorted = calloc(album->count + 1, sizeof *sorted);
    if (!sorted)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu photos", album->count);
    for (size_t i = 0; i < album->count; i++)
        sorted[i] = &album->photos[i];
    qsort(sorted, album->count, sizeof *sorted, by_digest);
    for (size_t i = 1, first = 0; i < album->count; i++) {
        if (memcmp(sorted[first]->digest, sorted[i]->digest, ALBUM_DIGEST_BYTES) != 0)
            first = i;
        else
            judge_copy(training, sorted[first], sorted[i]);
    }
    free(sorted);
    return 0;
}

/* Photos that are one and the same, saved twice. */
static void refuse_near_copies(struct training *training, const struct folder *folder)
{
    const struct kernels *kernels = simd_kernels(simd_best());
    for (size_t i = folder->first + 1; i < folder->first + folder->count; i++)
        for (size_t j = folder->first; j < i && is_used(training, i); j++)
            if (is_used(training, j) &&
                kernels->dot_f32(template_of(training, i), template_of(training, j),
                                 FACE_EMBEDDING_FLOATS) >= TRAIN_MIN_DUPLICATE)
                train_refuse(&training->verdicts[i], TRAIN_DUPLICATE, "the same picture as %s",
                             training->album->photos[j].path);
}

static const char *person_of(const struct training *training, size_t photo)
{
    return training->album->photos[photo].person;
}

/* The photos that are compared: `numbers` gives each row's. */
struct sharing {
    struct training *training;
    struct rows rows;
    size_t *numbers;
};

/* Refuses a photo that is also in another person's folder, and the photo there: it is not told
 * whose it is. */
static void refuse_if_shared(void *context, size_t first, size_t second)
{
    const struct sharing *sharing = context;
    struct training *training = sharing->training;
    const size_t photos[2] = {sharing->numbers[first], sharing->numbers[second]};
    if (strcmp(person_of(training, photos[0]), person_of(training, photos[1])) == 0 ||
        simd_kernels(simd_best())
                ->dot_f32(template_of(training, photos[0]), template_of(training, photos[1]),
                          FACE_EMBEDDING_FLOATS) < TRAIN_MIN_DUPLICATE)
        return;
    for (int i = 0; i < 2; i++)
        train_refuse(&training->verdicts[photos[i]], TRAIN_DUPLICATE,
                     "the same picture as %s, of another person: whose is it?",
                     training->album->photos[photos[1 - i]].path);
}

/* Two people's folders with one picture, saved twice. */
static int refuse_shared(struct training *training, struct err *err)
{
    const float rounding = 0.004f; /* of two rows: docs/gallery.md, with room to spare */
    size_t count = training->album->count, used = 0;
    struct sharing sharing = {training, {0}, calloc(count + 1, sizeof *sharing.numbers)};
    int result = sharing.numbers ? 0 : -1;
    for (size_t i = 0; result == 0 && i < count; i++) {
        int8_t row[ROW_VALUES];
        if (!is_used(training, i))
            continue;
        sharing.numbers[used++] = i;
        row_from_floats(row, template_of(training, i));
        result = rows_add(&sharing.rows, row);
    }
    if (result == 0)
        rows_find_alike(&sharing.rows, TRAIN_MIN_DUPLICATE - rounding, refuse_if_shared, &sharing);
    rows_finish(&sharing.rows);
    free(sharing.numbers);
    return result < 0 ? err_set(err, ERR_NO_MEMORY, "no memory for %zu photos", count) : 0;
}

static void gather_folder(struct training *training, struct folder *folder)
{
    for (size_t i = folder->first; i < folder->first + folder->count; i++)
        if (is_used(training, i))
            add_to(folder, template_of(training, i), 1);
}

/* The used photo least like the others of its folder; -1 where there are no others. */
static double least_alike(const struct training *training, const struct folder *folder,
                          size_t *photo)
{
    double least = 2;
    for (size_t i = folder->first; i < folder->first + folder->count; i++) {
        double value = is_used(training, i) ? similarity(folder, template_of(training, i), 1) : 2;
        if (value < least) {
            least = value;
            *photo = i;
        }
    }
    return least;
}

/* Takes out one photo after the other until those left are alike. Two that are not alike go both:
 * which one is the person cannot be told. */
static void refuse_outliers(struct training *training, struct folder *folder)
{
    size_t photo = 0;
    double value;
    while (folder->used > 1 &&
           (value = least_alike(training, folder, &photo)) < (double)TRAIN_MIN_ALIKE) {
        int last_two = folder->used == 2;
        for (size_t i = folder->first; i < folder->first + folder->count; i++) {
            if (!is_used(training, i) || !(last_two || i == photo))
                continue;
            train_refuse(&training->verdicts[i], TRAIN_OUTLIER,
                         "unlike the other photo%s of %s (similarity %.2f)%s", last_two ? "" : "s",
                         folder->name, value, last_two ? ": which one is right?" : "");
            add_to(folder, template_of(training, i), -1);
        }
    }
}

/* A photo that would be recognised as somebody else, and not as its owner. */
static void name_the_other(struct training *training, struct folder *folder, size_t photo)
{
    struct train_verdict *verdict = &training->verdicts[photo];
    const float *embedding = template_of(training, photo);
    int outlier = verdict->reason == TRAIN_OUTLIER;
    if (!outlier && (!is_used(training, photo) || folder->used < 2))
        return;
    float value;
    double own = similarity(folder, embedding, !outlier);
    const struct folder *other = find_other(training, folder, embedding, &value);
    if (!other || value < GALLERY_DEFAULT_THRESHOLD || own >= (double)GALLERY_DEFAULT_THRESHOLD)
        return; /* people who look alike are reported, not refused */
    train_refuse(verdict, TRAIN_LIKE_OTHER,
                 "looks like %s (similarity %.2f), unlike %s's other photos", other->name,
                 (double)value, folder->name);
    if (!outlier)
        add_to(folder, embedding, -1);
}

static int judge_persons(struct training *training, struct err *err)
{
    for (size_t i = 0; i < training->folder_count; i++)
        refuse_near_copies(training, &training->folders[i]);
    if (refuse_shared(training, err) < 0)
        return -1;
    for (size_t i = 0; i < training->folder_count; i++) {
        gather_folder(training, &training->folders[i]);
        refuse_outliers(training, &training->folders[i]);
    }
    update_means(training);
    for (size_t i = 0; i < training->folder_count; i++) {
        struct folder *folder = &training->folders[i];
        for (size_t photo = folder->first; photo < folder->first + folder->count; photo++)
            name_the_other(training, folder, photo);
    }
    update_means(training);
    return 0;
}

/* The album's runs of photos of one name. */
static int find_folders(struct training *training, struct err *err)
{
    const struct album *album = training->album;
    training->verdicts = calloc(album->count + 1, sizeof *training->verdicts);
    training->folders = calloc(album->count + 1, sizeof *training->folders);
    training->means = calloc((album->count + 1) * FACE_EMBEDDING_FLOATS, sizeof *training->means);
    if (!training->verdicts || !training->folders || !training->means)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu photos", album->count);
    for (size_t i = 0; i < album->count; i++) {
        struct folder *last = &training->folders[training->folder_count];
        if (training->folder_count == 0 || strcmp(last[-1].name, album->photos[i].person) != 0) {
            *last = (struct folder){.name = album->photos[i].person, .first = i};
            training->folder_count++;
        }
        training->folders[training->folder_count - 1].count++;
        train_judge(&album->photos[i], &training->verdicts[i]);
    }
    return 0;
}

/* A folder's name that is no name is the photo's fault too: the others go on. */
static int add_photo(struct gallery *gallery, const struct album_photo *photo,
                     struct train_verdict *verdict, struct err *err)
{
    if (gallery_add(gallery, photo->person, photo->face.embedding, err) == 0)
        return 0;
    if (err->code != ERR_INVALID)
        return -1;
    train_refuse(verdict, TRAIN_BAD_NAME, "%s", err->message);
    return 0;
}

static int enrol(struct training *training, struct gallery *gallery,
                 const struct train_options *options, struct train_summary *summary,
                 struct err *err)
{
    size_t before = gallery_people(gallery);
    for (size_t i = 0; i < training->album->count; i++) {
        const struct album_photo *photo = &training->album->photos[i];
        struct train_verdict *verdict = &training->verdicts[i];
        if (is_used(training, i) && add_photo(gallery, photo, verdict, err) < 0)
            return -1;
        summary->reasons[verdict->reason]++;
        if (options->report)
            options->report(options->context, photo, verdict);
    }
    summary->people = gallery_people(gallery) - before;
    summary->used = summary->reasons[TRAIN_USED];
    summary->refused = training->album->count - summary->used;
    return summary->used ? 0
                         : err_set(err, ERR_INVALID,
                                   "no usable photo (one folder a person is wanted, with photos "
                                   "in it)");
}

/* The used photos, each with the album's views of it behind. */
static void gather_photos(const struct training *training, float *embeddings, uint32_t *people,
                          struct head_photos *out)
{
    const struct album *album = training->album;
    size_t more = album->view_count * FACE_EMBEDDING_FLOATS;
    *out = (struct head_photos){embeddings, people, .views = 1 + album->view_count};
    for (size_t i = 0; i < training->folder_count; i++) {
        const struct folder *folder = &training->folders[i];
        size_t before = out->count;
        for (size_t photo = folder->first; photo < folder->first + folder->count; photo++) {
            if (!is_used(training, photo))
                continue;
            memcpy(embeddings, template_of(training, photo),
                   FACE_EMBEDDING_FLOATS * sizeof *embeddings);
            embeddings += FACE_EMBEDDING_FLOATS;
            if (more)
                memcpy(embeddings, album->views + photo * more, more * sizeof *embeddings);
            embeddings += more;
            people[out->count++] = (uint32_t)out->people_count;
        }
        out->people_count += out->count > before;
    }
}

static int take_head(struct gallery *gallery, struct head *head, const struct head_trial *trial,
                     const struct train_options *options, struct err *err)
{
    if (options->tried)
        options->tried(options->context, trial);
    if (!head)
        return 0;
    if (!options->keep_threshold)
        gallery_set_threshold(gallery, trial->threshold);
    return gallery_set_head(gallery, head, err);
}

static int try_head(const struct training *training, struct gallery *gallery,
                    const struct train_options *options, struct err *err)
{
    size_t count = training->album->count;
    size_t bytes =
        count * (1 + training->album->view_count) * FACE_EMBEDDING_FLOATS * sizeof(float);
    float *embeddings = malloc(bytes + 1);
    uint32_t *people = calloc(count + 1, sizeof *people);
    struct head_photos photos;
    struct head_trial trial;
    struct head *head = NULL;
    int result = -1;
    if (!embeddings || !people) {
        err_set(err, ERR_NO_MEMORY, "train the head: no memory for %zu photos", count);
    } else {
        gather_photos(training, embeddings, people, &photos);
        result = head_try(&head, &photos, options->head, &trial, err);
    }
    if (result == 0)
        result = take_head(gallery, head, &trial, options, err);
    if (embeddings)
        seal_wipe(embeddings, bytes);
    free(embeddings);
    free(people);
    return result;
}

/* Every two people whose mean directions are near. */
static void report_alike(const struct training *training, const struct train_options *options)
{
    const struct kernels *kernels = simd_kernels(simd_best());
    for (size_t i = 0; i < training->folder_count; i++) {
        const float *mean = training->means + i * FACE_EMBEDDING_FLOATS;
        for (size_t j = 0; j < i; j++) {
            struct train_pair pair = {training->folders[j].name, training->folders[i].name,
                                      kernels->dot_f32(mean,
                                                       training->means + j * FACE_EMBEDDING_FLOATS,
                                                       FACE_EMBEDDING_FLOATS)};
            if (pair.similarity >= options->alike_from)
                options->alike(options->context, &pair);
        }
    }
}

static void finish_training(struct training *training)
{
    if (training->folders)
        seal_wipe(training->folders, training->folder_count * sizeof *training->folders);
    if (training->means)
        seal_wipe(training->means,
                  training->folder_count * FACE_EMBEDDING_FLOATS * sizeof *training->means);
    free(training->folders);
    free(training->means);
    free(training->verdicts);
}

int train_album(struct gallery *gallery, const struct album *album,
                const struct train_options *options, struct train_summary *summary, struct err *err)
{
    *summary = (struct train_summary){0};
    struct training training = {.album = album};
    int result = find_folders(&training, err);
    if (result == 0)
        result = refuse_copies(&training, err);
    if (result == 0)
        result = judge_persons(&training, err);
    if (result == 0 && options->head && gallery_people(gallery) == 0)
        result = try_head(&training, gallery, options, err);
    if (result == 0) {
        result = enrol(&training, gallery, options, summary, err);
    }
    if (result == 0 && options->alike)
        report_alike(&training, options);
    finish_training(&training);
    return result;
}
