#include "face/album.h"
#include "base/file.h"
#include "face/head_train.h"
#include "face/seal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/sha.h>

static const size_t max_text_bytes = (size_t)1 << 30;

void album_init(struct album *album)
{
    *album = (struct album){0};
    arena_init(&album->text, max_text_bytes);
}

void album_finish(struct album *album)
{
    if (album->photos)
        seal_wipe(album->photos, album->count * sizeof *album->photos);
    free(album->photos);
    if (album->views)
        seal_wipe(album->views, album->view_bytes);
    free(album->views);
    arena_finish(&album->text);
    *album = (struct album){0};
}

int album_add(struct album *album, const char *person, const char *path, struct err *err)
{
    if (album->count >= ALBUM_MAX_PHOTOS)
        return err_set(err, ERR_TOO_BIG, "%s: more than %d photos", path, ALBUM_MAX_PHOTOS);
    if (album->count == album->capacity) {
        size_t wanted = album->capacity ? 2 * album->capacity : 64;
        struct album_photo *photos = realloc(album->photos, wanted * sizeof *photos);
        if (!photos)
            return err_set(err, ERR_NO_MEMORY, "no memory for %zu photos", wanted);
        album->photos = photos;
        album->capacity = wanted;
    }
    struct album_photo *photo = &album->photos[album->count];
    *photo = (struct album_photo){.person = arena_strdup(&album->text, person),
                                  .path = arena_strdup(&album->text, path)};
    if (!photo->person || !photo->path)
        return err_set(err, ERR_NO_MEMORY, "no memory for the names of photos");
    album->count++;
    return 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Calls `take` with the path and the name of each entry, in the order of their bytes. */
static int each_entry(struct album *album, const char *folder, const char *person,
                      int (*take)(struct album *album, const char *person, const char *name,
                                  const char *path, struct err *err),
                      struct err *err)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_visible, alphasort), result = 0;
    if (count < 0)
        return err_set_errno(err, "read folder %s", folder);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        const char *name = entries[i]->d_name;
        if (result == 0 &&
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
            result = err_set(err, ERR_TOO_BIG, "%s/%s: the path is too long", folder, name);
        if (result == 0)
            result = take(album, person, name, path, err);
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int take_photo(struct album *album, const char *person, const char *name, const char *path,
                      struct err *err)
{
    (void)name;
    return album_add(album, person, path, err);
}

static int take_person(struct album *album, const char *person, const char *name, const char *path,
                       struct err *err)
{
    struct stat status;
    (void)person;
    if (stat(path, &status) < 0)
        return err_set_errno(err, "read %s", path);
    if (S_ISDIR(status.st_mode))
        return each_entry(album, path, name, take_photo, err);
    album->passed_over++;
    return 0;
}

static int take_any(struct album *album, const char *person, const char *name, const char *path,
                    struct err *err)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return err_set_errno(err, "read %s", path);
    return S_ISDIR(status.st_mode) ? each_entry(album, path, name, take_photo, err)
                                   : album_add(album, person, path, err);
}

int album_add_people(struct album *album, const char *folder, struct err *err)
{
    return each_entry(album, folder, "", take_person, err);
}

int album_add_all(struct album *album, const char *folder, struct err *err)
{
    return each_entry(album, folder, "", take_any, err);
}

struct search {
    struct album *album;
    const struct album_options *options;
    atomic_size_t next;
    pthread_mutex_t lock; /* of what follows, and of album->text */
    size_t done;
    struct err err; /* the first that ends the search */
};

static const struct face *choose(const struct face *faces, int count, const struct image *image,
                                 enum album_choice choice)
{
    const struct face *best = faces; /* the largest comes first */
    double least = INFINITY;
    for (int i = 0; i < count && choice == ALBUM_NEAREST_CENTRE; i++) {
        const float *box = faces[i].box;
        double distance = hypot((double)(box[0] + box[2] / 2) - image->width / 2.0,
                                (double)(box[1] + box[3] / 2) - image->height / 2.0);
        if (distance < least) {
            least = distance;
            best = &faces[i];
        }
    }
    return best;
}

static int count_similar(const struct face *faces, int count)
{
    int similar = count > 0;
    float least = count > 0 ? faces[0].box[2] * faces[0].box[3] / 4 : 0;
    while (similar < count && faces[similar].box[2] * faces[similar].box[3] > least)
        similar++;
    return similar;
}

int album_find_face(struct album_photo *photo, struct recognizer *recognizer,
                    const struct image *image, enum album_choice choice, struct err *err)
{
    enum { LOOK_AT = 32 };
    struct face faces[LOOK_AT];
    int count = recognizer_run(recognizer, image, faces, LOOK_AT, NULL, err);
    if (count < 0)
        return -1;
    photo->state = count > 0 ? ALBUM_FACE : ALBUM_NO_FACE;
    photo->similar = count_similar(faces, count);
    if (count > 0)
        photo->face = *choose(faces, count, image, choice);
    return 0;
}

static int read_photo(struct album_photo *photo, struct recognizer *recognizer, struct image *image,
                      struct buf *bytes, enum album_choice choice, struct err *err)
{
    buf_clear(bytes);
    if (file_read(photo->path, bytes, err) < 0)
        return -1;
    SHA256((const unsigned char *)(bytes->data ? bytes->data : ""), bytes->size, photo->digest);
    int result = image_decode_again(image, bytes->data, bytes->size, err);
    if (result == 0)
        result = album_find_face(photo, recognizer, image, choice, err);
    return result < 0 ? err_wrap(err, "read %s", photo->path) : 0;
}

/* -1 to 1, evenly. */
static float draw(uint64_t *random)
{
    return (float)((double)(head_random(random) >> 11) * 0x1p-52 - 1);
}

/* What the embedding should not depend on: which way the head leans, how exactly the points were
 * found (6 % of the eyes' distance), the light. The same for a photo at any number of threads. */
static int read_views(struct album *album, size_t index, struct recognizer *recognizer,
                      const struct image *image, const struct album_options *options)
{
    const struct album_photo *photo = &album->photos[index];
    float *out = album->views + index * album->view_count * FACE_EMBEDDING_FLOATS;
    uint64_t random = options->view_seed ^ (uint64_t)(index + 1) << 20;
    for (size_t i = 0; i < album->view_count; i++, out += FACE_EMBEDDING_FLOATS) {
        struct face_view view = {.mirrored = i % 2 == 0,
                                 .scale = 1 + 0.06f * draw(&random),
                                 .shift = {0.06f * draw(&random), 0.06f * draw(&random)},
                                 .gamma = exp2f(0.6f * draw(&random))};
        if (recognizer_view(recognizer, image, &photo->face, &view, out) < 0)
            return -1;
    }
    return 0;
}

/* With search->lock held. */
static void give_up(struct search *search, const struct err *err)
{
    if (search->err.code == ERR_NONE)
        search->err = *err;
    atomic_store(&search->next, search->album->count);
}

static void finish_photo(struct search *search, struct album_photo *photo, const struct err *err)
{
    const struct album_options *options = search->options;
    pthread_mutex_lock(&search->lock);
    if (err) {
        photo->state = ALBUM_UNREADABLE;
        photo->failure = arena_strdup(&search->album->text, err->message);
        if (options->all_wanted)
            give_up(search, err);
    }
    search->done++;
    if (options->progress)
        options->progress(options->context, search->done, search->album->count);
    pthread_mutex_unlock(&search->lock);
}

/* One thread: takes photos until none is left. */
static void work(void *context, size_t thread)
{
    (void)thread;
    struct search *search = context;
    struct err err = {0};
    struct recognizer_options options = recognizer_defaults;
    options.detect = search->options->detect;
    options.exact = search->options->exact;
    struct recognizer *recognizer = recognizer_create(search->options->models, &options, &err);
    if (!recognizer) {
        pthread_mutex_lock(&search->lock);
        give_up(search, &err);
        pthread_mutex_unlock(&search->lock);
        return;
    }
    struct image image = {0};
    struct buf bytes;
    buf_init(&bytes, IMAGE_MAX_FILE_BYTES);
    for (size_t i; (i = atomic_fetch_add(&search->next, 1)) < search->album->count;) {
        struct album_photo *photo = &search->album->photos[i];
        struct err failure = {0};
        int result =
            read_photo(photo, recognizer, &image, &bytes, search->options->choice, &failure);
        if (result == 0 && photo->state == ALBUM_FACE &&
            read_views(search->album, i, recognizer, &image, search->options) < 0)
            photo->state = ALBUM_NO_FACE;
        finish_photo(search, photo, result < 0 ? &failure : NULL);
    }
    buf_finish(&bytes);
    image_finish(&image);
    recognizer_destroy(recognizer);
}

int album_find_faces(struct album *album, const struct album_options *options, struct err *err)
{
    if (album->count == 0)
        return 0;
    if (options->views) {
        album->view_count = options->views;
        album->view_bytes =
            album->count * album->view_count * FACE_EMBEDDING_FLOATS * sizeof *album->views;
        album->views = malloc(album->view_bytes);
        if (!album->views)
            return err_set(err, ERR_NO_MEMORY, "no memory for %zu views of %zu photos",
                           options->views, album->count);
    }
    size_t threads = options->threads ? options->threads : pool_processors();
    struct pool *pool = pool_create(threads < album->count ? threads : album->count, err);
    if (!pool)
        return -1;
    struct search search = {.album = album, .options = options};
    pthread_mutex_init(&search.lock, NULL);
    pool_run(pool, pool_threads(pool), work, &search);
    pthread_mutex_destroy(&search.lock);
    pool_destroy(pool);
    if (search.err.code == ERR_NONE)
        return 0;
    *err = search.err;
    return -1;
}
