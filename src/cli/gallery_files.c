#include "cli/gallery_files.h"
#include "base/file.h"
#include "cli/line.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static int find_labels(const char *gallery_path, char path[PATH_MAX], struct err *err)
{
    const char *slash = strrchr(gallery_path, '/');
    int folder = slash ? (int)(slash - gallery_path + 1) : 0;
    if (snprintf(path, PATH_MAX, "%.*slabels.json", folder, gallery_path) >= PATH_MAX)
        return err_set(err, ERR_TOO_BIG, "write labels.json beside %s: the path is too long",
                       gallery_path);
    return 0;
}

int gallery_files_check(const char *path, int plain, struct err *err)
{
    char labels[PATH_MAX];
    if (gallery_check_place(path, plain, err) < 0 || find_labels(path, labels, err) < 0)
        return -1;
    return file_check_writable(labels, err);
}

static int write_labels(const struct gallery *gallery, const char *gallery_path, struct err *err)
{
    char path[PATH_MAX];
    if (find_labels(gallery_path, path, err) < 0)
        return -1;
    json_t *names = json_array();
    for (size_t i = 0; i < gallery_people(gallery); i++)
        json_array_append_new(names, json_string(gallery_name(gallery, i)));
    char *text = json_dumps(names, JSON_INDENT(2));
    json_decref(names);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "write %s: no memory", path);
    int result = file_write_alone(path, text, strlen(text), 0644, err);
    free(text);
    return result;
}

static void warn_of_unfinished(const struct gallery *gallery, const char *path)
{
    if (gallery && gallery_unfinished_bytes(gallery))
        line_print(
            stderr,
            "warning: %s: an addition was cut short; its %zu bytes do not count and go with this "
            "change: enrol that person again",
            path, gallery_unfinished_bytes(gallery));
}

struct gallery *gallery_files_open_to_change(const char *path, struct err *err)
{
    struct gallery *gallery = gallery_open_to_change(path, err);
    warn_of_unfinished(gallery, path);
    return gallery;
}

struct gallery *gallery_files_open_or_create(const char *path, int *is_new, struct err *err)
{
    struct gallery *gallery = gallery_open_or_create(path, is_new, err);
    warn_of_unfinished(gallery, path);
    return gallery;
}

/* The names first: where the second step does not come to its end, nobody who was to be forgotten
 * is still among them. */
int gallery_files_save(const struct gallery *gallery, const char *path, int plain, struct err *err)
{
    if (write_labels(gallery, path, err) < 0)
        return -1;
    int result = plain ? gallery_save_plain(gallery, path, err) : gallery_save(gallery, path, err);
    if (result < 0)
        return -1;
    if (plain)
        line_print(
            stderr,
            "WARNING: %s is NOT encrypted: whoever can read it has everybody's name and face "
            "template. Train without --plain to encrypt it.",
            path);
    return 0;
}
