#include "cli/bundle.h"
#include "cli/beside.h"

#include "base/file.h"
#include "face/gallery.h"

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE_BYTES ((size_t)250 * 1024 * 1024) /* Lambda's limit, unpacked */
enum { ZIP_TIME = 315532800 };                     /* 1980-01-01, the first day a zip can tell */

static int archive_failed(struct archive *zip, struct err *err)
{
    const char *cause = archive_error_string(zip);
    return err_set(err, ERR_TOO_BIG, "pack function: %s",
                   cause ? cause : "the zip is larger than 50 MiB");
}

static la_ssize_t write_zip(struct archive *zip, void *context, const void *data, size_t size)
{
    (void)zip;
    return buf_append(context, data, size) < 0 ? -1 : (la_ssize_t)size;
}

static int put_entry(struct archive *zip, const char *name, int mode, const struct buf *data,
                     struct err *err)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return err_set(err, ERR_NO_MEMORY, "pack function: out of memory");
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, (mode_t)mode);
    archive_entry_set_size(entry, (la_int64_t)data->size);
    archive_entry_set_mtime(entry, ZIP_TIME, 0);
    int done = archive_write_header(zip, entry) == ARCHIVE_OK &&
                       (data->size == 0 ||
                        archive_write_data(zip, data->data, data->size) == (la_ssize_t)data->size)
                   ? 0
                   : archive_failed(zip, err);
    archive_entry_free(entry);
    return done;
}

static int put_file(struct archive *zip, const char *name, int mode, const char *path,
                    struct err *err)
{
    struct buf data;
    buf_init(&data, MAX_FILE_BYTES);
    int done = file_read(path, &data, err) < 0 ? err_wrap(err, "pack function")
                                               : put_entry(zip, name, mode, &data, err);
    buf_finish(&data);
    return done;
}

static int put_model(void *context, const char *file, const char *path, struct err *err)
{
    char name[64];
    snprintf(name, sizeof name, "models/%s", file);
    return put_file(context, name, 0644, path, err);
}

static int take_model(const char *folder, const char *file, bundle_take_model *take, void *context,
                      struct err *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, file) >= sizeof path)
        return err_set(err, ERR_TOO_BIG, "pack function: the path of %s is too long", file);
    return take(context, file, path, err);
}

int bundle_each_model(const char *folder, bundle_take_model *take, void *context, struct err *err)
{
    static const enum model_role roles[] = {ROLE_DETECT, ROLE_EMBED, ROLE_LANDMARK};
    struct face_models *models = face_models_open(folder, err);
    if (!models)
        return err->code == ERR_NOT_FOUND
                   ? err_wrap(err, "there is no such network; make it with ken model import")
                   : -1;
    face_models_close(models);
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const char *file = face_model_file(folder, roles[i]);
        /* landmarks: where there are any */
        if (file && take_model(folder, file, take, context, err) < 0)
            return -1;
    }
    return 0;
}

int bundle_make(const struct bundle_files *files, struct buf *zip, struct err *err)
{
    struct archive *archive = archive_write_new();
    if (!archive)
        return err_set(err, ERR_NO_MEMORY, "pack function: out of memory");
    archive_write_set_format_zip(archive);
    archive_write_set_bytes_per_block(archive, 0);
    /* networks hardly shrink: level 6 takes twice the time of 1 for 3 % */
    int done =
        archive_write_set_format_option(archive, "zip", "compression-level", "1") != ARCHIVE_OK ||
                archive_write_open(archive, zip, NULL, write_zip, NULL) != ARCHIVE_OK
            ? archive_failed(archive, err)
            : 0;
    if (done == 0)
        done = put_file(archive, "bootstrap", 0755, files->function, err);
    if (done == 0)
        done = put_file(archive, "gallery.ken", 0644, files->gallery, err);
    if (done == 0)
        done = bundle_each_model(files->models, put_model, archive, err);
    if (done == 0 && archive_write_close(archive) != ARCHIVE_OK)
        done = archive_failed(archive, err);
    archive_write_free(archive);
    return done;
}

int bundle_find_function(char *path, size_t path_bytes, struct err *err)
{
    struct err cause = {0};
    if (beside_program("ken-function", path, path_bytes, &cause) < 0)
        return err_set(err, cause.code, "%.400s (give it with --function FILE)", cause.message);
    return 0;
}

static int read_key(const char *gallery, char key[BUNDLE_KEY_BYTES], struct err *err)
{
    char path[PATH_MAX];
    const char *given = getenv("KEN_GALLERY_KEY");
    struct buf text;
    if (given && *given) {
        snprintf(key, BUNDLE_KEY_BYTES, "%s", given);
        return 0;
    }
    if ((size_t)snprintf(path, sizeof path, "%s.key", gallery) >= sizeof path)
        return err_set(err, ERR_TOO_BIG, "%s: its path is too long", gallery);
    buf_init(&text, BUNDLE_KEY_BYTES);
    int done = file_read(path, &text, err);
    if (done == 0)
        snprintf(key, BUNDLE_KEY_BYTES, "%.64s", text.data ? text.data : "");
    if (text.data)
        explicit_bzero(text.data, text.size);
    buf_finish(&text);
    return done;
}

int bundle_gallery_key(const char *gallery, char key[BUNDLE_KEY_BYTES], struct err *err)
{
    struct gallery *opened = gallery_open(gallery, err);
    if (!opened) {
        if (access(gallery, F_OK) < 0)
            return err_set(err, ERR_NOT_FOUND,
                           "%.300s: there is no such gallery; make it with ken train", gallery);
        return -1;
    }
    int plain = gallery_is_plain(opened);
    gallery_destroy(opened);
    *key = 0; /* a plain gallery needs none */
    return plain ? 0 : read_key(gallery, key, err);
}
